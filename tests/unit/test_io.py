import contextlib
import os
import stat

import numpy as np
import pytest
from PIL import Image as PilImage

from wyner import io, png16
from wyner.container import Limits
from wyner.errors import CorruptError, LimitError, UnsupportedError, UsageError
from wyner.image import Image

METADATA = {"exif": b"MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00", "xmp": b"<x:xmpmeta/>"}


def _icc():
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("planes", [1, 2, 3, 4])
def test_lossless_formats_keep_samples_and_profile(suffix, planes):
    array = np.random.default_rng(2).integers(0, 256, (9, 8, planes), np.uint8)
    image = Image.from_array(array, icc=_icc())
    back = io.read(io.encode_file(image, suffix))
    if suffix == ".webp" and planes < 3:  # WebP has no grey
        assert np.array_equal(back.pixels, np.repeat(image.pixels, 3, axis=2))
    else:
        assert np.array_equal(back.pixels, image.pixels)
    assert back.icc == image.icc
    if planes % 2 == 0:
        assert back.alpha is not None and np.array_equal(back.alpha, image.alpha)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_exif_and_xmp_are_kept(suffix):
    back = io.read(io.encode_file(Image.from_array(np.zeros((8, 8, 3), np.uint8), **METADATA), suffix))
    assert (back.exif, back.xmp) == (METADATA["exif"], METADATA["xmp"])


def test_tiff_holds_exif_and_xmp_at_once():
    tags = PilImage.Exif()
    tags[271], tags[272] = "maker", "model"
    tags.get_ifd(0x8769)[0x829D] = 2.8
    image = Image.from_array(np.zeros((8, 8, 3), np.uint8), exif=tags.tobytes(), xmp=METADATA["xmp"])
    back = io.read(io.encode_file(image, ".tif"))
    assert back.xmp == METADATA["xmp"]
    kept = PilImage.Exif()
    kept.load(back.exif)
    assert (kept[271], kept[272]) == ("maker", "model")
    assert float(kept.get_ifd(0x8769)[0x829D]) == 2.8


@pytest.mark.parametrize(
    "tags", [{256: 6, 257: 4}, {256: 40, 257: 60}, {262: 6, 284: 2, 266: 2}, {338: 2, 339: 3}]
)
def test_what_exif_says_of_other_files_does_not_reach_a_tiff_file(tags):
    exif = PilImage.Exif()
    for tag, value in {271: "maker", **tags}.items():
        exif[tag] = value
    exif.get_ifd(0x8769)[0x829D] = 2.8
    image = Image.from_array(np.arange(72, dtype=np.uint8).reshape(4, 6, 3), exif=exif.tobytes())
    back = io.read(io.encode_file(image, ".tif"))
    assert np.array_equal(back.pixels, image.pixels) and b"maker" in back.exif


@pytest.mark.parametrize("exif", [b"hello", b"II*\x00", b""])
def test_metadata_that_tiff_cannot_hold_is_refused(exif):
    image = Image.from_array(np.zeros((8, 8, 3), np.uint8), exif=exif or None)
    if exif:
        with pytest.raises(UnsupportedError, match=r"TIFF.*write PNG"):
            io.encode_file(image, ".tif")
    assert io.read(io.encode_file(image, ".png")).exif == image.exif


@pytest.mark.parametrize("suffix", [".png", ".ppm", ".tif"])
@pytest.mark.parametrize("planes", [1, 3])
def test_16_bits_are_kept(suffix, planes):
    array = np.random.default_rng(3).integers(0, 65536, (7, 5, planes), np.uint16)
    image = Image.from_array(array)
    if suffix == ".tif" and planes == 3:
        with pytest.raises(UnsupportedError):
            io.encode_file(image, suffix)
    else:
        assert io.read(io.encode_file(image, suffix)) == image


def test_pnm_of_other_depths_is_scaled():
    data = b"P5 # comment\n2 1\n1023\n" + (1023).to_bytes(2, "big") + (512).to_bytes(2, "big")
    assert io.read(data).pixels.ravel().tolist() == [65535, round(512 * 65535 / 1023)]
    with pytest.raises(CorruptError, match="truncated"):
        io.read(data[:-1])
    with pytest.raises(CorruptError, match="greatest"):
        io.read(data.replace(b"1023", b"0600"))


def test_no_ppm_is_reduced_to_8_bits():
    plain = b"P3\n2 1\n65535\n1 2 3 257 513 65535\n"
    late = b"P6\n#" + b"x" * 5000 + b"\n2 1\n65535\n" + bytes(12)
    for data in (plain, late):
        with pytest.raises(UnsupportedError, match="8 bits"):
            io.read(data)
    assert io.read(plain.replace(b"65535\n1", b"255\n1").replace(b"257 513 65535", b"4 5 6")).bit_depth == 8
    assert io.read(b"P2\n2 1\n65535\n1 65535\n").pixels.ravel().tolist() == [1, 65535]


def test_an_animation_cut_anywhere_is_an_error_of_ours():
    import io as stdio

    out = stdio.BytesIO()
    frames = [PilImage.new("P", (4, 4), colour) for colour in range(3)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    data, whole = out.getvalue(), 0
    for end in range(1, len(data)):
        with contextlib.suppress(CorruptError, UnsupportedError):
            assert io.read(data[:end]).width == 4  # the first frame alone
            whole += 1
    assert whole < len(data) / 2


def test_formats_refuse_what_they_cannot_hold():
    deep = Image.from_array(np.zeros((2, 2, 3), np.uint16))
    clear = Image.from_array(np.zeros((2, 2, 4), np.uint8))
    wide = Image.from_array(np.zeros((1, 16384), np.uint8))
    for image, suffix in ((deep, ".jpg"), (deep, ".webp"), (clear, ".jpg"), (clear, ".ppm"), (wide, ".webp")):
        with pytest.raises(UnsupportedError, match="write"):
            io.encode_file(image, suffix)
    with pytest.raises(UsageError, match="suffix"):
        io.encode_file(deep, ".xyz")


def test_long_metadata_does_not_fit_into_jpeg():
    image = Image.from_array(np.zeros((2, 2), np.uint8), xmp=bytes(65001))
    with pytest.raises(UnsupportedError, match="XMP"):
        io.encode_file(image, ".jpg")
    image = Image.from_array(np.zeros((2, 2), np.uint8), xmp=b"x" * 65000, exif=b"II*\x00" + bytes(64996))
    assert io.read(io.encode_file(image, ".jpg")).xmp == image.xmp


def test_16_bit_colour_tiff_is_refused_not_reduced():
    tifffile = pytest.importorskip("tifffile")
    import io as stdio

    out = stdio.BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4, 3), np.uint16), photometric="rgb")
    with pytest.raises(UnsupportedError, match="16"):
        io.read(out.getvalue())


@pytest.mark.parametrize("value", [1, 3, 6, 8])
def test_tiff_orientation_is_applied_once(tmp_path, value):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    PilImage.fromarray(array).save(tmp_path / "a.tif", tiffinfo={274: value, 271: "maker"})
    turned = {1: array, 3: array[::-1, ::-1], 6: np.rot90(array, -1), 8: np.rot90(array)}[value]
    image = io.read(tmp_path / "a.tif")
    assert np.array_equal(image.pixels[:, :, 0], turned)
    assert image.exif is not None and b"maker" in image.exif


def test_animations_need_a_word(tmp_path):
    frames = [PilImage.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedError, match="2 frames"):
        io.read(tmp_path / "a.png")
    assert io.read(tmp_path / "a.png", first_frame=True).pixels[0, 0].tolist() == [255, 0, 0]


def test_limits_come_before_samples():
    header = (60).to_bytes(4, "big") + (50).to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    chunks = ((b"IHDR", header), (b"IDAT", b"no samples"), (b"IEND", b""))
    data = png16.SIGNATURE + b"".join(png16._chunk(*chunk) for chunk in chunks)
    with pytest.raises(CorruptError):
        io.read(data)
    with pytest.raises(LimitError, match="60x50"):
        io.read(data, limits=Limits(side=59))
    with pytest.raises(LimitError, match="3000"):
        io.read(data, limits=Limits(pixels=2999))


@pytest.mark.skipif(os.name != "posix", reason="links and devices as on POSIX")
def test_links_are_followed_and_devices_stay_devices(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to("real.png")
    io.write_atomic(tmp_path / "link.png", b"new", overwrite=True)
    assert (tmp_path / "link.png").is_symlink() and (tmp_path / "real.png").read_bytes() == b"new"
    io.write_atomic("/dev/null", b"data")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(os.name != "posix", reason="modes and lengths as on POSIX")
def test_any_name_that_a_file_may_have_and_the_mode_of_the_process(tmp_path):
    name = "\u753b" * 83 + ".png"  # 253 bytes
    before = os.umask(0o027)
    try:
        io.write(tmp_path / name, Image.from_array(np.zeros((2, 2), np.uint8)))
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
    finally:
        assert os.umask(before) == 0o027
    assert os.listdir(tmp_path) == [name]


def test_writing_is_atomic_and_keeps_existing_files(tmp_path, monkeypatch):
    image = Image.from_array(np.zeros((2, 2), np.uint8))
    path = tmp_path / "a.png"
    io.write(path, image)
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    with pytest.raises(FileExistsError):
        io.write(path, image)
    io.write(path, image, overwrite=True)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        io.write(tmp_path / "b.png", image)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
