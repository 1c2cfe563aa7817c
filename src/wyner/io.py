"""Reading and writing picture files: any format that Pillow opens, and 16 bits where Pillow has only 8."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import struct
from pathlib import Path
from typing import Any

from PIL import Image as PilImage
from PIL import PngImagePlugin, UnidentifiedImageError

from . import png16, pnm
from .container import Limits
from .errors import CorruptError, LimitError, UnsupportedError, UsageError, WynerError
from .image import Image
from .orientation import upright
from .pil_modes import EXIF_KEPT_TAGS, EXIF_PREFIX, EXIF_SUB_IFDS, JPEG_XMP_PREFIX

SUFFIXES: dict[str, str] = {
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PNM",
    ".pgm": "PNM",
    ".pnm": "PNM",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
}
"""File name suffixes that ``encode_file`` and ``write`` know, and their formats."""

# Formats whose further frames are previews, gain maps or layers beside one main picture.
_STILL_WITH_FRAMES = frozenset({"MPO", "PSD"})
_MAGICS = (png16.SIGNATURE, b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\x00", b"MM\x00*", b"BM")
_TIFF_XMP = 700  # its tag
_JPEG_METADATA_BYTES = 65000  # a segment has at most 65533, its prefix included
_HEIF_BRANDS = (b"heic", b"heix", b"heif", b"mif1", b"hevc")
_PILLOW_FAILURES = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    struct.error,
)


def read(
    source: str | os.PathLike[str] | bytes, *, first_frame: bool = False, limits: Limits | None = None
) -> Image:
    """Read a picture file, given by its path or as its bytes.

    Palettes and bilevel pictures are expanded, CMYK becomes sRGB (through the ICC profile if there is one),
    the EXIF orientation is applied and then recorded as upright. PNG, PGM and PPM keep 16 bits; in other
    formats the depth is what Pillow gives. Size is checked against ``limits`` before samples are decoded.

    Raises OSError when the file cannot be read, CorruptError when it is damaged, LimitError, and
    UnsupportedError for an unknown format, for an animation (unless ``first_frame``), and for pictures that
    Pillow would reduce to 8 bits.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    limits = limits or Limits()
    if not data:
        raise CorruptError("the file is empty")
    if png16.is_16_bit(data):
        return upright(png16.decode(data, limits, first_frame))
    if pnm.is_16_bit(data):
        return pnm.decode(data, limits)
    with _open(data) as opened:
        if opened.format == "PNG":
            png16.verify(data)
        limits.check_size(*opened.size)
        try:
            _refuse_loss(opened, first_frame)
            return Image.from_pil(opened)
        except WynerError:
            raise
        except PilImage.DecompressionBombError as error:
            raise LimitError(str(error)) from None
        except _PILLOW_FAILURES as error:
            raise CorruptError(f"damaged {opened.format} file: {error}") from None


def encode_file(image: Image, suffix: str) -> bytes:
    """The bytes of a picture file of the format that ``suffix`` (".png", ...) names.

    PNG, TIFF, PPM, PGM and WebP are written without loss, JPEG at quality 95 in 4:4:4. ICC, EXIF and XMP are
    kept where the format has a place; a TIFF file is deflated unless its EXIF has tables inside.

    Raises UsageError for an unknown suffix and UnsupportedError when the format cannot hold the depth, the
    alpha, the size or the metadata of the image.
    """
    kind = SUFFIXES.get(suffix.lower())
    if kind is None:
        raise UsageError(f"unknown suffix {suffix!r}; there are: {' '.join(SUFFIXES)}")
    if kind == "PNM":
        return pnm.encode(image)
    if image.bit_depth == 16 and kind == "PNG":
        return png16.encode(image)
    if image.bit_depth == 16 and (kind != "TIFF" or image.channels == 3 or image.alpha is not None):
        raise UnsupportedError(f"this 16-bit picture cannot be written as {kind}; write PNG or PPM")
    if kind == "JPEG":
        _check_jpeg(image)
    out = io.BytesIO()
    pil = image.to_pil()
    pil.info.clear()
    try:
        pil.save(out, kind, **_save_options(image, kind))
    except _PILLOW_FAILURES as error:
        raise UnsupportedError(f"this picture cannot be written as {kind} ({error}); write PNG") from None
    return out.getvalue()


def write(path: str | os.PathLike[str], image: Image, *, overwrite: bool = False) -> None:
    """Write a picture file, its format chosen by the suffix; see ``encode_file`` and ``write_atomic``."""
    write_atomic(path, encode_file(image, Path(path).suffix), overwrite=overwrite)


def write_atomic(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False) -> None:
    """Write a file so that nobody ever sees half of it. Raises FileExistsError unless ``overwrite``.

    A link is followed. A device or a named pipe, such as /dev/null, is written to, not replaced.
    """
    target = Path(os.path.realpath(path))
    if is_special(target):
        target.write_bytes(data)
        return
    if not overwrite and target.exists():
        raise FileExistsError(f"{target} exists")
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        os.replace(part, target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether the path names something that exists and is neither a regular file nor a folder."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def _open(data: bytes) -> PilImage.Image:
    try:
        return PilImage.open(io.BytesIO(data))
    except PilImage.DecompressionBombError as error:
        raise LimitError(str(error)) from None
    except UnidentifiedImageError:
        pass
    except _PILLOW_FAILURES as error:
        raise CorruptError(f"damaged picture file: {error}") from None
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise UnsupportedError("HEIC/HEIF pictures are not supported; convert the file to PNG or JPEG first")
    if data.startswith(_MAGICS):
        raise CorruptError("the picture file is damaged: its header makes no sense")
    raise UnsupportedError("not a picture in a format that Pillow reads here")


def _refuse_loss(opened: PilImage.Image, first_frame: bool) -> None:
    """Raise when reading the first frame in 8 bits would silently lose a part of the picture."""
    frames = getattr(opened, "n_frames", 1)
    if frames > 1 and not first_frame and opened.format not in _STILL_WITH_FRAMES:
        raise UnsupportedError(
            f"the file holds {frames} frames; ask for the first one (--first-frame) or split it"
        )
    bits = getattr(opened, "tag_v2", {}).get(258, (8,)) if opened.format == "TIFF" else (8,)
    if len(bits) > 1 and max(bits) > 8:
        raise UnsupportedError(
            f"TIFF colour of {max(bits)} bits would be reduced to 8; convert it to 16-bit PNG"
        )
    if opened.format == "PPM" and opened.mode == "RGB" and _ppm_maxval(opened) > 255:
        raise UnsupportedError(
            "this PPM file would be reduced to 8 bits; convert it to P6 with a short header"
        )


def _ppm_maxval(opened: Any) -> int:
    codec, _, _, arguments = opened.tile[0]
    return int(arguments[1]) if codec.startswith("ppm") else 255


def _check_jpeg(image: Image) -> None:
    if image.alpha is not None:
        raise UnsupportedError("JPEG files hold no alpha; write PNG, TIFF or WebP")
    for name, value in (("EXIF", image.exif), ("XMP", image.xmp)):
        if value and len(value) > _JPEG_METADATA_BYTES:
            raise UnsupportedError(f"{name} of {len(value)} bytes does not fit into a JPEG file; write PNG")


def _save_options(image: Image, kind: str) -> dict[str, Any]:
    """Pillow's options for lossless files (JPEG: nearly) with the metadata in."""
    by_kind: dict[str, dict[str, Any]] = {
        "PNG": {},
        "TIFF": {"compression": "tiff_adobe_deflate"},
        "JPEG": {"quality": 95, "subsampling": 0, "optimize": True},
        "WEBP": {"lossless": True, "exact": True},
    }
    options = by_kind[kind]
    if image.icc:
        options["icc_profile"] = image.icc
    if kind == "TIFF":
        tags = options["exif"] = _tiff_tags(image)
        if any(tags.get_ifd(ifd) for ifd in EXIF_SUB_IFDS):
            del options["compression"]  # with which Pillow cannot write these
    elif image.exif:
        options["exif"] = EXIF_PREFIX + image.exif
    if image.xmp and kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", image.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = info
    elif image.xmp and kind == "JPEG":  # Pillow itself writes it only from version 11 on
        segment = JPEG_XMP_PREFIX + image.xmp
        options["extra"] = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    elif image.xmp and kind == "WEBP":
        options["xmp"] = image.xmp
    return options


def _tiff_tags(image: Image) -> PilImage.Exif:
    """EXIF and XMP as tags of a TIFF file, but for those that would tell how it stores its samples."""
    tags = PilImage.Exif()
    if image.exif:
        tags.load(image.exif)
    for tag in set(tags) - EXIF_KEPT_TAGS:
        del tags[tag]
    if image.xmp:
        tags[_TIFF_XMP] = image.xmp
    return tags
