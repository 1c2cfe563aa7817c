"""The comparison: what is on the stage, the split, zoom and pan in step, differences."""

import base64
import io
import re

import numpy as np
import pytest
from bench_sample import picture
from PIL import Image as PilImage
from report_helpers import data_of, marks, until

from wyner.bench.records import read_run

pytest_plugins = ["report_page"]
TIMES = "\u00d7"
LEFT_MINUS_RIGHT = "Left \u2212 right"


def layer(page, side):
    """Pixels (H, W, 4) uint8 of a layer."""
    text = page.evaluate(
        f"""() => {{ const c = document.getElementById('layer-{side}').cloneNode();
        const context = c.getContext('2d', {{ willReadFrequently: true }});
        context.drawImage(document.getElementById('layer-{side}'), 0, 0);
        const data = context.getImageData(0, 0, c.width, c.height).data;
        let text = ''; for (let i = 0; i < data.length; i += 8192) {{
          text += String.fromCharCode(...data.subarray(i, i + 8192)); }}
        return [c.width, c.height, btoa(text)]; }}"""
    )
    return np.frombuffer(base64.b64decode(text[2]), np.uint8).reshape(text[1], text[0], 4)


def transforms(page):
    """Transform and place on the page of both layers; they must be the same."""
    found = page.evaluate(
        """() => [...document.querySelectorAll('.layer')].map(node => {
        const box = node.getBoundingClientRect();
        return [node.style.transform, box.x, box.y, box.width, box.height]; })"""
    )
    assert len(found) == 2 and found[0] == found[1]
    return found[0]


def settled(page, view=None):
    """Wait until the stage shows what was asked for last."""
    until(page, "document.getElementById('stage').getAttribute('aria-busy') === 'false'")
    assert view is None or page.locator("#stage").get_attribute("data-view") == view


def scale(page):
    return float(re.search(r"scale\(([\d.]+)\)", transforms(page)[0])[1])


def offset(page):
    return tuple(
        float(v) for v in re.search(r"translate\((-?[\d.]+)px, (-?[\d.]+)px\)", transforms(page)[0]).groups()
    )


def middle(page, selector):
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def view(page, text, name):
    page.locator("#view label", has_text=text).click()
    settled(page, name)


@pytest.fixture
def stage(page):
    settled(page)
    page.locator("#stage").scroll_into_view_if_needed()
    page.wait_for_timeout(400)  # a wheel soon after scrolling goes on scrolling the page
    return page


@pytest.fixture
def decoded(sample):
    """Pixels of the file of a codec on an image that was made for a target rate, or of the original."""
    run, _ = sample
    records = {(r["label"], r["image"], r["target_bpp"]): r for r in read_run(run)[0]}

    def get(codec, image="first", target=0.8):
        if codec == "original":
            return np.asarray(PilImage.open(run.parent / "pictures" / f"{image}.png"))
        return np.asarray(PilImage.open(run / records[codec, image, target]["file"]).convert("RGB"))

    return get


# --- what is shown ----------------------------------------------------------------------------


def test_the_layers_are_the_decoded_files(stage, decoded):
    assert stage.locator(".caption strong").all_inner_texts() == ["jpeg_444", "webp"]
    for side, codec in (("left", "jpeg_444"), ("right", "webp")):
        assert np.array_equal(layer(stage, side)[..., :3], decoded(codec))
    stage.select_option("#left-series", label="Original")
    stage.select_option("#compare-image", label="second")
    stage.locator("#target").fill("1.5")
    stage.keyboard.press("Enter")
    settled(stage)
    assert np.array_equal(layer(stage, "left")[..., :3], decoded("original", "second"))
    assert np.array_equal(layer(stage, "right")[..., :3], decoded("webp", "second", 1.6))


def test_captions_tell_the_real_rate_and_psnr(stage, sample):
    records = {(r["label"], r["target_bpp"]): r for r in read_run(sample[0])[0] if r["image"] == "first"}
    for side, codec in (("left", "jpeg_444"), ("right", "webp")):
        of = records[codec, 0.8]
        text = stage.locator(f".caption.{side}").inner_text()
        assert f"{of['bpp']:.3f} bpp · {of['psnr_db']:.2f} dB" in text
        assert "from the target" not in text
    stage.locator("#target").fill("1.1")
    stage.keyboard.press("Enter")
    text = stage.locator(".caption.right").inner_text()
    off = min((records["webp", t]["bpp"] / 1.1 for t in (0.8, 1.6)), key=lambda q: abs(np.log(q)))
    assert f"{abs(100 * (off - 1)):.0f} % from the target" in text


def test_targets_are_chosen_by_button_and_sides_swapped(stage, decoded):
    stage.locator(".presets button", has_text="1.6").click()
    stage.locator("#swap").click()
    settled(stage)
    assert stage.locator(".caption strong").all_inner_texts() == ["webp", "jpeg_444"]
    assert np.array_equal(layer(stage, "left")[..., :3], decoded("webp", target=1.6))
    assert stage.evaluate("document.activeElement.id") == "swap"


def test_a_click_on_the_chart_picks_a_point(page, sample):
    settled(page)
    page.select_option("#plot-image", label="second")
    data = data_of(sample[1])
    jpeg = [s["name"] for s in data["series"]].index("jpeg_444")
    page.mouse.click(*marks(page, jpeg)[1])
    assert page.locator("#right-series").evaluate("node => node.selectedOptions[0].text") == "jpeg_444"
    assert page.locator("#compare-image").evaluate("node => node.selectedOptions[0].text") == "second"
    said = page.locator("#compare-status").inner_text
    settled(page)
    assert "not embedded; jpeg_444 at" in said()
    page.locator("#chart").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Enter")
    assert page.locator("#left-series").evaluate("node => node.selectedOptions[0].text") == "webp"
    settled(page)
    assert "webp at" in said() and "is on the left" in said()


def test_a_point_whose_picture_is_embedded_is_shown_itself(visit, sample, tmp_path):
    from wyner.bench.report import build

    run, _ = sample
    wanted = sorted(
        r["bpp"]
        for r in read_run(run)[0]
        if r["label"] == "webp" and r["image"] == "first" and r["target_bpp"] is None
    )
    path = build(run, tmp_path / "report.html", targets=wanted, images=["first"])
    page = visit(path)
    settled(page)
    page.select_option("#plot-image", label="first")
    webp = [s["name"] for s in data_of(path)["series"]].index("webp")
    for bpp, (x, y) in zip(wanted, marks(page, webp), strict=True):
        page.mouse.click(x, y)
        assert f"{bpp:.3f} bpp" in page.locator(".caption.right").inner_text()


# --- the split --------------------------------------------------------------------------------


def clip(page):
    return page.evaluate("[...document.querySelectorAll('.pane')].map(n => n.style.clipPath)")


def test_the_split_is_dragged(stage):
    x, y = middle(stage, "#split")
    box = stage.locator("#stage").bounding_box()
    before = transforms(stage)
    stage.mouse.move(x, y)
    stage.mouse.down()
    stage.mouse.move(box["x"] + box["width"] * 0.3, y + 20, steps=4)
    assert stage.locator("#split").get_attribute("aria-valuenow") == "30"
    left, right = (float(re.search(r"([\d.]+)%", text)[1]) for text in clip(stage))
    assert left == pytest.approx(70, abs=0.5) and right == pytest.approx(30, abs=0.5)
    stage.mouse.move(box["x"] - 300, y)
    assert stage.locator("#split").get_attribute("aria-valuenow") == "0"
    stage.mouse.up()
    stage.mouse.move(x, y)
    assert stage.locator("#split").get_attribute("aria-valuenow") == "0"
    assert transforms(stage) == before


def test_the_split_obeys_the_keyboard(stage):
    split = stage.locator("#split")
    assert split.get_attribute("role") == "slider" and split.get_attribute("aria-label")
    before = transforms(stage)
    stage.locator("#stage").focus()
    stage.keyboard.press("Tab")
    for key, value in (
        ("ArrowLeft", 49), ("ArrowDown", 48), ("ArrowRight", 49), ("ArrowUp", 50), ("Shift+ArrowRight", 60),
        ("PageDown", 50), ("PageUp", 60), ("Home", 0), ("ArrowLeft", 0), ("End", 100), ("ArrowRight", 100),
    ):  # fmt: skip
        stage.keyboard.press(key)
        assert split.get_attribute("aria-valuenow") == str(value)
        assert split.get_attribute("aria-valuetext") == f"{value} % left picture"
    assert transforms(stage) == before


def test_each_side_of_the_split_shows_its_picture(stage, decoded):
    """At 100 % a pixel of a picture is one of the screen, unchanged, wherever the stage lies."""
    screen = np.asarray(PilImage.open(io.BytesIO(stage.screenshot())).convert("RGB"))
    box = stage.locator("#stage").bounding_box()
    x, y = (round(box[axis]) + round(shift) for axis, shift in zip("xy", offset(stage), strict=True))
    split = round(box["x"] + box["width"] / 2) - x
    left, right = decoded("jpeg_444"), decoded("webp")
    window = screen[y : y + left.shape[0], x : x + left.shape[1]]
    assert np.array_equal(window[:, : split - 25], left[:, : split - 25])
    assert np.array_equal(window[:, split + 25 :], right[:, split + 25 :])


# --- zoom and pan -----------------------------------------------------------------------------


def test_the_wheel_zooms_about_the_pointer_with_both_layers_in_step(stage):
    for _ in range(6):
        stage.locator("#stage").press("+")
    box = stage.locator("#stage").bounding_box()
    at = (box["width"] / 2 - 30, box["height"] / 2 + 20)
    start_scale, start = scale(stage), offset(stage)
    stage.mouse.move(box["x"] + at[0], box["y"] + at[1])
    for _ in range(3):
        stage.mouse.wheel(0, -200)
    until(stage, "parseInt(document.getElementById('zoom-level').value) > 1000")
    now, there = scale(stage), offset(stage)
    for axis in range(2):
        assert (at[axis] - there[axis]) / now == pytest.approx(
            (at[axis] - start[axis]) / start_scale, abs=0.5
        )
    for _ in range(9):
        stage.mouse.wheel(0, 200)
    until(stage, "document.getElementById('zoom-level').value === '100 %'")
    assert scale(stage) == 1


def test_the_wheel_scrolls_the_page_when_the_page_is_being_scrolled(page):
    settled(page)
    page.evaluate("window.scrollTo(0, document.getElementById('stage').getBoundingClientRect().top - 500)")
    page.wait_for_timeout(100)
    page.mouse.move(*middle(page, "#stage"))
    page.evaluate("window.dispatchEvent(new Event('scroll'))")
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, -100)
    until(page, f"scrollY < {before}")
    assert scale(page) == 1


def test_keys_and_buttons_zoom(stage):
    stage.locator("#stage").focus()
    stage.keyboard.press("+")
    stage.keyboard.press("=")
    assert scale(stage) == pytest.approx(1.25**2)
    assert stage.locator("#zoom-level").inner_text() == "156 %"
    stage.keyboard.press("-")
    assert scale(stage) == pytest.approx(1.25)
    stage.keyboard.press("0")
    assert scale(stage) == 1 and stage.locator("#zoom-out").is_disabled()
    stage.locator("#zoom-in").click()
    assert scale(stage) == pytest.approx(1.25)
    stage.locator("#zoom-full").click()
    assert scale(stage) == 1
    for _ in range(20):
        stage.keyboard.press("Tab") if stage.evaluate("document.activeElement.id") != "stage" else None
        stage.locator("#stage").press("+")
    assert scale(stage) == 32 and stage.locator("#zoom-in").is_disabled()
    assert stage.locator("#layer-left").evaluate("n => getComputedStyle(n).imageRendering") == "pixelated"


def test_dragging_and_arrows_pan_within_the_picture(stage):
    stage.locator("#stage").focus()
    for _ in range(8):
        stage.keyboard.press("+")
    x, y = offset(stage)
    stage.keyboard.press("ArrowRight")
    stage.keyboard.press("ArrowDown")
    assert offset(stage) == pytest.approx((x - 40, y - 40), abs=1)
    stage.keyboard.press("ArrowLeft")
    stage.keyboard.press("ArrowUp")
    assert offset(stage) == pytest.approx((x, y), abs=1)
    cx, cy = middle(stage, "#stage")
    stage.mouse.move(cx + 100, cy + 50)
    stage.mouse.down()
    stage.mouse.move(cx + 37, cy + 81, steps=5)
    transforms(stage)
    stage.mouse.up()
    assert offset(stage) == pytest.approx((x - 63, y + 31), abs=1)
    assert stage.locator("#split").get_attribute("aria-valuenow") == "50"
    for _ in range(20):
        stage.keyboard.press("ArrowLeft")
        stage.keyboard.press("ArrowUp")
    assert offset(stage) == pytest.approx((0, 0), abs=0.51)


def test_two_fingers_zoom(visit, sample):
    page = visit(sample[1], viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    settled(page)
    page.locator("#stage").scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    x, y = middle(page, "#stage")
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": a, "y": y, "id": i} for i, a in points]},
        )

    before = scale(page)
    send("touchStart", (0, x - 40))
    send("touchStart", (0, x - 40), (1, x + 40))
    for reach in (50, 60, 70, 80):
        send("touchMove", (0, x - reach), (1, x + reach))
    send("touchEnd")
    assert scale(page) == pytest.approx(2 * before, rel=0.05)


def test_the_view_is_kept_from_picture_to_picture(stage):
    stage.locator("#stage").press("+")
    stage.locator("#stage").press("+")
    stage.locator("#stage").press("ArrowRight")
    before = transforms(stage)
    stage.select_option("#right-series", label="Original")
    settled(stage)
    view(stage, "Errors", "error")
    assert transforms(stage)[0] == before[0]


# --- differences ------------------------------------------------------------------------------


def amplified(a, b, factor):
    return np.minimum(255, np.abs(a.astype(int) - b) * factor).astype(np.uint8)


@pytest.mark.parametrize("factor", [1, 4, 32])
def test_the_difference_of_the_two_is_exact(stage, decoded, factor):
    view(stage, LEFT_MINUS_RIGHT, "between")
    stage.select_option("#factor", str(factor))
    settled(stage)
    a, b = decoded("jpeg_444"), decoded("webp")
    expected = amplified(a, b, factor)
    assert expected.any()
    for side in ("left", "right"):
        shown = layer(stage, side)
        assert np.array_equal(shown[..., :3], expected) and (shown[..., 3] == 255).all()
    distance = np.abs(a.astype(int) - b)
    said = stage.locator("#compare-status").inner_text()
    assert f"largest difference {distance.max()}, mean {distance.mean():.2f}, shown times {factor}" in said


def test_the_errors_of_both_are_exact(stage, decoded):
    view(stage, "Errors", "error")
    original = decoded("original")
    assert np.array_equal(layer(stage, "left")[..., :3], amplified(decoded("jpeg_444"), original, 4))
    assert np.array_equal(layer(stage, "right")[..., :3], amplified(decoded("webp"), original, 4))
    stage.select_option("#left-series", label="Original")
    settled(stage)
    assert not layer(stage, "left")[..., :3].any()
    assert "left no difference" in stage.locator("#compare-status").inner_text()


def test_equal_pictures_have_no_difference(stage):
    stage.select_option("#left-series", label="webp")
    view(stage, LEFT_MINUS_RIGHT, "between")
    settled(stage)
    assert not layer(stage, "left")[..., :3].any()
    assert "no difference" in stage.locator("#compare-status").inner_text()


def test_the_original_is_one_key_away(stage, decoded):
    stage.locator("#view input").first.focus()
    stage.keyboard.press("ArrowRight")
    settled(stage, "original")
    for side in ("left", "right"):
        assert np.array_equal(layer(stage, side)[..., :3], decoded("original"))
    assert stage.locator("#factor").is_disabled()


def test_crops_say_what_they_are(visit, sample, tmp_path):
    from wyner.bench.report import build

    page = visit(build(sample[0], tmp_path / "report.html", crop=(64, 48)))
    settled(page)
    said = page.locator("#compare-status").inner_text()
    assert f"64 {TIMES} 48 pixels from (64, 64) of 192 {TIMES} 176" in said and "whole picture" in said
    assert layer(page, "left").shape == (48, 64, 4)


def test_a_report_without_pictures_says_so(visit, sample, tmp_path):
    from wyner.bench.report import build

    page = visit(build(sample[0], tmp_path / "report.html", images=[]))
    assert "no pictures" in page.locator("#compare").inner_text()
    page.mouse.click(*marks(page)[0])


def test_the_aligned_side_picture_is_one_of_the_choices(visit, tmp_path):
    pytest.importorskip("wyner._native", reason="the native core is not built")
    from report_records import write_run

    from wyner import io as picture_io
    from wyner.bench.experiment import parse
    from wyner.bench.plan import make_plan
    from wyner.bench.report import build
    from wyner.bench.report.pictures import warped_side
    from wyner.bench.task import run_task
    from wyner.image import Image

    wide = picture(0, 48, 67)
    picture_io.write(tmp_path / "x.png", Image.from_array(wide[:, :-3]))
    picture_io.write(tmp_path / "y.png", Image.from_array(wide[:, 3:]))
    (tmp_path / "pairs.csv").write_text("image,side\nx.png,y.png\n")
    codecs = [
        {"name": "jpeg_444", "quality": [40, 80]},
        {"name": "wyner_side", "effort": 1, "quality": [30, 60]},
    ]
    table = {"name": "t", "pairs": "pairs.csv", "metrics": [], "codecs": codecs}
    records = [run_task(task) for task in make_plan(parse(table, tmp_path), tmp_path / "run").tasks]
    run = write_run(tmp_path / "run", records)
    page = visit(build(run, tmp_path / "report.html"))
    settled(page)
    page.select_option("#left-series", label="Side picture, aligned")
    page.select_option("#right-series", label="Original")
    settled(page)
    assert page.locator(".caption strong").all_inner_texts() == ["Side picture, aligned", "Original"]
    shown = [warped_side(run, record) for record in records if record["side_given"]]
    assert any(np.array_equal(layer(page, "left")[..., :3], pixels) for pixels in shown)
    assert np.array_equal(layer(page, "right")[..., :3], wide[:, :-3])
