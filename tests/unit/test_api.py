import dataclasses

import numpy as np
import pytest

import wyner
from wyner import container, io
from wyner.codecs import base, by_id, by_name
from wyner.image import Image, pixel_hash


def _image(dtype=np.uint8, planes=4):
    array = np.random.default_rng(5).integers(0, np.iinfo(dtype).max, (9, 7, planes), dtype, endpoint=True)
    return Image.from_array(array, icc=b"icc", exif=b"II*\x00", xmp=b"<x/>")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_round_trip_keeps_everything(fake_codec, dtype, planes):
    image = _image(dtype, planes)
    data = wyner.encode(image, quality=100, store_hash=True)
    assert wyner.decode(data, check_hash=True) == image
    facts = wyner.info(data)
    assert (facts.width, facts.height, facts.bit_depth) == (7, 9, image.bit_depth)
    assert facts.has_alpha == (planes % 2 == 0) and facts.codec == "overfit"
    assert facts.pixel_hash == pixel_hash(image).hex()
    assert sum(chunk.bytes for chunk in facts.chunks) + 5 == facts.file_bytes == len(data)
    assert facts.bpp == pytest.approx(8 * len(data) / 63)


def test_takes_arrays_pil_images_and_paths(fake_codec, tmp_path):
    image = Image.from_array(np.arange(24, dtype=np.uint8).reshape(2, 4, 3))
    io.write(tmp_path / "a.png", image)
    expected = wyner.encode(image)
    assert wyner.encode(np.asarray(image)) == expected
    assert wyner.encode(image.to_pil()) == expected
    assert wyner.encode(tmp_path / "a.png") == wyner.encode(str(tmp_path / "a.png")) == expected
    with pytest.raises(wyner.UsageError, match="list"):
        wyner.encode([[1, 2]])


def test_settings_reach_the_codec(fake_codec):
    image = _image()
    wyner.encode(image)
    wyner.encode(image, effort=3, target_size=5000, threads=2, options={"seed": "7"})
    first, second = fake_codec.seen
    assert (first.quality, first.effort) == (base.DEFAULT_QUALITY, base.DEFAULT_EFFORT)
    assert (second.quality, second.target_bytes, second.effort) == (None, 5000, 3)
    assert (second.threads, second.seed) == (2, 7)
    data = wyner.encode(image)
    payload = len(container.read(data).payload)
    assert abs(first.overhead_bytes - (len(data) - payload)) <= 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"quality": 101},
        {"quality": -1},
        {"quality": float("nan")},
        {"quality": 5, "target_bpp": 1},
        {"target_bpp": 0},
        {"target_psnr": float("inf")},
        {"target_size": -3},
        {"effort": 0},
        {"effort": 11},
        {"threads": 0},
        {"codec": "nothing"},
        {"options": {"sed": 1}},
        {"options": {"seed": "x"}},
        {"options": {"seed": -1}},
        {"options": {"seed": 2**32}},
        {"options": {"seed": float("inf")}},
        {"effort": 2.5},
        {"options": {"effort": 3}},
    ],
)
def test_wrong_arguments(fake_codec, arguments):
    with pytest.raises(wyner.UsageError):
        wyner.encode(np.zeros((4, 4), np.uint8), **arguments)


def test_missed_targets_carry_the_file(fake_codec):
    image = _image()
    with pytest.raises(wyner.TargetMissedError) as caught:
        wyner.encode(image, target_size=10)
    assert wyner.decode(caught.value.data) == image
    with pytest.raises(wyner.TargetMissedError):
        wyner.encode(image, target_bpp=0.1)
    wyner.encode(image, target_psnr=40)


def test_a_psnr_below_its_target_is_missed(fake_codec, monkeypatch):
    lossy = lambda pixels, settings, progress: type(fake_codec).encode(  # noqa: E731
        fake_codec, pixels, dataclasses.replace(settings, quality=0, target_psnr=None), progress
    )
    monkeypatch.setattr(fake_codec, "encode", lossy, raising=False)
    with pytest.raises(wyner.TargetMissedError, match="PSNR"):
        wyner.encode(_image(), target_psnr=60)


@pytest.mark.parametrize("name", ["pixels", "side", "metadata_bytes", "macs"])
def test_limits_are_at_least_1(name):
    with pytest.raises(wyner.UsageError, match="at least 1"):
        wyner.Limits(**{name: 0 if name != "metadata_bytes" else -1})


def test_compute_bombs_are_refused(fake_codec):
    data = wyner.encode(_image())
    fake_codec.macs = 1e12
    with pytest.raises(wyner.LimitError, match="multiply"):
        wyner.decode(data)
    fake_codec.macs = float("nan")
    with pytest.raises(wyner.LimitError):
        wyner.decode(data)


def test_wrong_pixels_are_found_by_the_hash(fake_codec, monkeypatch):
    data = wyner.encode(_image(), store_hash=True)
    parts = container.read(data)
    other = container.write(dataclasses.replace(parts, pixel_hash=bytes(16)))
    wyner.decode(other)
    with pytest.raises(wyner.CorruptError, match="hash"):
        wyner.decode(other, check_hash=True)


def test_side_images(fake_codec):
    side, image = _image(planes=3), _image()
    parts = container.read(wyner.encode(image, quality=100))
    data = container.write(dataclasses.replace(parts, side_hash=pixel_hash(side)))
    assert wyner.decode(data, side=side) == image
    with pytest.raises(wyner.SideImageError, match="needs"):
        wyner.decode(data)
    with pytest.raises(wyner.SideImageError, match="not the one"):
        wyner.decode(data, side=image)
    assert wyner.decode(container.write(parts), side=side) == image  # made without one


def test_unknown_codecs(fake_codec):
    parts = container.read(wyner.encode(_image()))
    for change in ({"codec_id": 99}, {"codec_version": 9}):
        header = dataclasses.replace(parts.header, **change)
        data = container.write(dataclasses.replace(parts, header=header))
        with pytest.raises(wyner.UnsupportedError):
            wyner.decode(data)
        assert wyner.info(data).width == 7
    assert by_id(1, 1) is by_name("overfit") is fake_codec


def test_compare(fake_codec, tmp_path):
    image = Image.from_array(np.full((4, 4, 3), 99, np.uint8))
    other = Image.from_array(np.full((4, 4, 3), 101, np.uint8))
    found = wyner.compare(image, other)
    assert (found.mse, found.max_error, found.bpp) == (4.0, 2, None)
    assert found.psnr_db == pytest.approx(42.11, abs=0.01)
    data = wyner.encode(image, quality=100)
    (tmp_path / "a.wyn").write_bytes(data)
    for source in (data, tmp_path / "a.wyn"):
        same = wyner.compare(image, source)
        assert same.psnr_db == float("inf") and same.bpp == len(data) / 2 and same.alpha_equal
    with pytest.raises(wyner.UsageError):
        wyner.compare(image, np.zeros((4, 5, 3), np.uint8))


def test_exit_codes():
    codes = [
        wyner.WynerError, wyner.UsageError, wyner.CorruptError, wyner.UnsupportedError,
        wyner.LimitError, wyner.TargetMissedError, wyner.SideImageError,
    ]  # fmt: skip
    assert [error.exit_code for error in codes] == list(range(1, 8))


def test_package_names():
    assert set(wyner.__all__) <= set(dir(wyner))
    assert all(getattr(wyner, name) is not None for name in wyner.__all__)
    with pytest.raises(AttributeError):
        wyner.nothing  # noqa: B018
