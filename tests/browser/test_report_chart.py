"""The chart, the tables and the page around them, by mouse and by keyboard."""

import re
from itertools import pairwise

import pytest
from report_helpers import data_of, marks, until
from report_records import RATES, curve, record, write_run

from wyner.bench.published import PublishedCurve
from wyner.bench.report import build

pytest_plugins = ["report_page"]
MINUS, DASH = "\u2212", "\u2013"


def made_up(tmp_path, records=None, **options):
    run = write_run(tmp_path / "run", records or [*curve("a", "x"), *curve("b", "x", 1), *curve("a", "y", 4)])
    return build(run, tmp_path / "report.html", images=[], **options)


def choose(page, legend, text):
    page.locator("fieldset", has_text=legend).locator("label", has_text=text).first.click()


# --- hover and keys ---------------------------------------------------------------------------


def test_hovering_shows_the_values_of_the_nearest_point(visit, tmp_path):
    page = visit(made_up(tmp_path))
    page.select_option("#plot-image", label="x")
    tip = page.locator(".tip")
    assert not tip.is_visible()
    for (x, y), made in zip(marks(page, 0), curve("a", "x"), strict=True):
        page.mouse.move(x + 9, y + 8)
        text = tip.inner_text()
        assert text.startswith("a\n") and f"quality={made['setting']['quality']} · x" in text
        assert f"{made['psnr_db']:.2f} dB" in text and f"{made['bpp']:.3f} bpp" in text
        assert f"{made['lpips']:.4f}" in text
        circle = page.locator("#chart .cursor circle").bounding_box()
        assert circle["x"] + circle["width"] / 2 == pytest.approx(x, abs=1)
    box = page.locator("#chart").bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 40)  # on the chart, far from every point
    assert not tip.is_visible()


def test_the_tip_stays_on_the_page_at_every_point(page):
    found = marks(page)
    assert len(found) > len(RATES)
    for x, y in found:
        page.mouse.move(x, y)
        box = page.locator(".tip").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
        assert not (box["x"] <= x <= box["x"] + box["width"] and box["y"] <= y <= box["y"] + box["height"])


def test_arrow_keys_walk_along_and_between_curves(visit, tmp_path):
    page = visit(made_up(tmp_path))
    page.select_option("#plot-image", label="x")
    page.locator("#chart").focus()
    said = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
        said.append(re.findall(r"^(\w).*?([\d.]+) bpp", page.locator("#plot [aria-live]").text_content())[0])
    assert said == [
        ("a", "0.100"),
        ("a", "0.200"),
        ("b", "0.200"),
        ("b", "0.100"),
        ("b", "0.100"),
        ("b", "0.100"),
    ]
    assert page.locator(".tip").is_visible()
    page.keyboard.press("Tab")
    assert not page.locator(".tip").is_visible()


def test_published_curves_are_dashed_and_tell_their_source(page):
    line = page.locator("#chart .curve.published .line")
    assert line.evaluate("node => getComputedStyle(node).strokeDasharray") != "none"
    assert page.locator("#chart .curve.measured .line").first.evaluate(
        "node => getComputedStyle(node).strokeDasharray"
    ) == "none"  # fmt: skip
    number = page.locator("#chart .curve.published").get_attribute("data-series")
    page.mouse.move(*marks(page, number)[0])
    assert "Published: made up for tests; mean of two pictures" in page.locator(".tip").inner_text()
    assert "made up for tests; mean of two pictures" in page.locator("#notes").inner_text()


# --- controls ---------------------------------------------------------------------------------


def test_the_metric_is_switched_by_mouse_and_keys(page):
    title = page.locator("#chart .title").last
    assert title.text_content() == "PSNR (dB)"
    before = marks(page, 0)
    choose(page, "Metric", "MS-SSIM")
    assert title.text_content() == "MS-SSIM (dB)"
    after = marks(page, 0)
    assert [x for x, _ in after] == pytest.approx([x for x, _ in before], abs=40) and after != before
    page.keyboard.press("ArrowLeft")  # the radio button has the focus
    assert title.text_content() == "PSNR of mean MSE (dB)"
    page.keyboard.press("ArrowLeft")
    assert marks(page, 0) == before


def test_a_metric_where_less_is_better_says_so(visit, tmp_path):
    page = visit(made_up(tmp_path))
    choose(page, "Metric", "LPIPS")
    assert page.locator("#chart .title").last.text_content() == "LPIPS, lower is better"
    ys = [y for _, y in marks(page, 0)]
    assert ys == sorted(ys)  # lower values at higher rates, drawn lower


def test_the_rate_axis_is_logarithmic_or_linear(visit, tmp_path):
    page = visit(made_up(tmp_path))
    xs = [x for x, _ in marks(page, 0)]
    steps = [b - a for a, b in pairwise(xs)]
    assert steps == pytest.approx([steps[0]] * 4, abs=1)  # rates double
    choose(page, "Rate axis", "Linear")
    xs = [x for x, _ in marks(page, 0)]
    per_bit = [(b - a) / (q - p) for (a, b), (p, q) in zip(pairwise(xs), pairwise(RATES), strict=True)]
    assert per_bit == pytest.approx([per_bit[0]] * 4, rel=0.1)
    page.keyboard.press("ArrowLeft")
    assert "logarithmic" in page.locator("#chart .title").first.text_content()


def test_the_mean_or_one_image_is_drawn(visit, tmp_path):
    page = visit(made_up(tmp_path))
    assert len(marks(page)) == 5  # b has no mean: one image is missing
    assert page.locator("#plot-image").evaluate("node => node.selectedOptions[0].text") == "Mean of 2 images"
    page.select_option("#plot-image", label="x")
    assert len(marks(page)) == 10
    page.select_option("#plot-image", label="y")
    assert len(marks(page)) == 5


def test_the_legend_hides_and_shows_curves(page):
    entry = page.locator("#legend li button", has_text="webp")
    series = entry.get_attribute("data-series")
    count = len(marks(page))
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false" and not marks(page, series)
    entry.focus()
    page.keyboard.press("Space")
    assert entry.get_attribute("aria-pressed") == "true" and len(marks(page)) == count
    assert page.evaluate("document.activeElement.dataset.series") == series
    page.get_by_role("button", name="none").click()
    assert not marks(page) and page.locator("#chart").inner_text().count("No curve is shown") == 1
    page.get_by_role("button", name="all").click()
    assert len(marks(page)) == count


def test_pointing_at_the_legend_fades_the_other_curves(page):
    page.locator("#legend li button", has_text="webp").hover()
    faded = page.locator("#chart .curve.faded").count()
    assert faded == page.locator("#chart .curve").count() - 1


# --- tables -----------------------------------------------------------------------------------


def column(page, name):
    index = page.locator("#records-table thead th").all_inner_texts().index(name)
    return page.locator(f"#records-table tbody tr > :nth-child({index + 1})").all_inner_texts()


def test_the_table_of_files_is_sorted_by_any_column(page):
    assert len(column(page, "Bytes")) == 2 * (3 * 2 + 4 * 2 + 1) - 4
    header = page.locator("#records-table th", has_text="Bytes")
    for state in ("ascending", "descending"):
        header.locator("button").click()
        sizes = [int(text.replace("\u202f", "")) for text in column(page, "Bytes")]
        assert sizes == sorted(sizes, reverse=state == "descending")
        assert header.get_attribute("aria-sort") == state
    page.locator("#records-table th button", has_text="PSNR, dB").focus()
    page.keyboard.press("Enter")
    shown = column(page, "PSNR, dB")
    assert shown[-2:] == ["identical"] * 2  # no number: last either way
    assert [float(text) for text in shown[:-2]] == sorted(float(text) for text in shown[:-2])
    page.keyboard.press("Enter")
    assert column(page, "PSNR, dB")[-2:] == ["identical"] * 2


def test_the_table_of_files_is_filtered_and_paged(visit, tmp_path):
    records = [record(f"c{i % 7}", f"image {i % 5}", 0.01 * (i + 1), 20 + i / 100) for i in range(245)]
    page = visit(made_up(tmp_path, records))
    pager = page.locator(".pager")
    assert "1 to 100 of 245" in pager.inner_text()
    pager.get_by_role("button", name="Next").click()
    pager.get_by_role("button", name="Next").click()
    assert "201 to 245 of 245" in pager.inner_text() and len(column(page, "bpp")) == 45
    assert page.evaluate("document.activeElement.textContent") == "Previous"
    page.select_option("#records-series", label="c3")
    page.select_option("#records-image", label="image 2")
    assert set(column(page, "Codec")) == {"c3"} and set(column(page, "Image")) == {"image 2"}
    assert len(column(page, "Image")) == 7 and not pager.is_visible()


def test_bd_rates_are_against_the_chosen_reference_and_metric(visit, tmp_path):
    records = [
        *curve("a", "x"),
        *curve("b", "x", 1),
        *curve("far", "x", 40),
        *curve("a", "y"),
        *curve("b", "y", 2),
    ]
    page = visit(made_up(tmp_path, records))

    def row(name):
        rows = page.locator("#bd-table tbody tr").all()
        return next(r.locator("td").all_inner_texts() for r in rows if r.locator("th").inner_text() == name)

    assert row("b")[0].splitlines()[0] == f"{MINUS}28.8 %"  # the mean of 2^(-1/3) and 2^(-2/3), less one
    assert row("b")[3].splitlines()[0] == f"{MINUS}20.6 %" and row("b")[4].splitlines()[0] == f"{MINUS}37.0 %"
    assert f"27.03 {DASH} 38.03" in row("b")[3]
    assert row("far")[0] == DASH and "overlap" in row("far")[3]
    page.select_option("#bd-reference", label="b")
    assert row("a")[3].splitlines()[0] == "+26.0 %"
    assert page.evaluate("document.activeElement.id") in ("bd-reference", "")
    page.select_option("#bd-metric", label="LPIPS")
    assert row("a")[3].splitlines()[0] == "0.0 %"
    choose(page, "Per image", "Akima")
    assert row("a")[3].splitlines()[0] == "0.0 %"


# --- the page ---------------------------------------------------------------------------------


def test_names_are_shown_as_text(visit, tmp_path):
    evil = '</script><img src=x onerror="window.evil=1"><b>&amp;'
    paper = PublishedCurve(
        evil, evil, evil, None, ({"bpp": 0.5, "psnr_db": 30.0}, {"bpp": 1, "psnr_db": 33.0})
    )
    page = visit(made_up(tmp_path, curve(evil, evil), title=evil, published=[paper]))
    for x, y in marks(page):
        page.mouse.move(x, y)
    assert page.evaluate("window.evil") is None and page.locator("img, b").count() == 0
    assert page.title() == evil and page.locator("h1").text_content() == evil
    assert page.locator("#legend .name").all_text_contents() == [evil, evil]
    assert evil in page.locator(".tip").text_content()
    assert set(column(page, "Image")) == {evil}


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_at_any_width(visit, sample, width):
    page = visit(sample[1], viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 700, "height": 800})
    until(page, "document.querySelector('#chart svg').getBoundingClientRect().right <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(visit, sample, scheme):
    page = visit(sample[1], color_scheme=scheme)
    colours = page.evaluate(
        """() => [...document.querySelectorAll('body, h2, .about, .facts, nav a, label, td, th')]
        .filter(node => node.offsetParent).map(node => getComputedStyle(node).color)"""
    )
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for colour in set(colours):
        low, high = sorted((luminance(colour), luminance(paper)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, colour


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)" as WCAG 2 defines it."""
    channels = [int(text) / 255 for text in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_control_is_reached_by_tab_and_shows_it(page):
    seen = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        seen.add(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.slice(0, 20)")
        )
        ring = page.evaluate(
            """() => { const node = document.activeElement;
            const around = [node, node.nextElementSibling, node.querySelector('.grip')].filter(Boolean);
            return node === document.body || around.map(n => getComputedStyle(n)).some(style => (
              (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2)
              || style.boxShadow.includes('5px'))); }"""
        )
        assert ring, page.evaluate("document.activeElement.outerHTML")
    assert {"chart", "stage", "split", "plot-image", "left-series", "target", "bd-reference"} <= seen


def test_three_thousand_records_are_drawn_a_part_at_a_time(visit, tmp_path):
    records = [
        record(f"codec{c}", f"image {i}", 0.05 * 1.3**k, 24 + c / 9 + 1.1 * k, lpips=0.5 / (k + 1))
        for c in range(10) for i in range(25) for k in range(12)
    ]  # fmt: skip
    path = made_up(tmp_path, records)
    assert len(data_of(path)["points"]) == 3120
    page = visit(path)

    def drawn():
        return [
            page.locator(of).count()
            for of in ("#chart .mark", "#records-table tbody tr", "#bd-table tbody tr")
        ]

    assert drawn() == [120, 100, 9]
    choose(page, "Metric", "LPIPS")
    page.locator("[data-column=psnr_db]").click()
    assert drawn() == [120, 100, 9]
    page.get_by_role("button", name="none").click()
    assert drawn() == [0, 100, 9]


def test_a_run_of_lossless_codecs_has_its_tables(visit, tmp_path):
    records = [record(name, "x", bpp, None) for name, bpp in (("png", 12.0), ("jpegls", 10.5))]
    page = visit(made_up(tmp_path, records))
    empty = page.locator("#plot .empty")
    assert empty.inner_text() == "No lossy file was measured, so there is no curve to draw."
    assert page.locator("#lossless-table tbody tr").count() == 2
    assert set(column(page, "Codec")) == {"png", "jpegls"}
    assert "made up 1" in page.locator("#notes-list").inner_text()
