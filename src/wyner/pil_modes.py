"""Between PIL images of any mode and ``Image``."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PilImage

from .errors import UnsupportedError
from .image import Array, Image
from .orientation import upright

EXIF_PREFIX = b"Exif\x00\x00"
JPEG_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
_PLAIN = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
# Tags of IFD0 that describe the picture; the others of a TIFF file describe how the file stores it.
_DESCRIPTIVE_TAGS = (270, 271, 272, 305, 306, 315, 33432)
EXIF_SUB_IFDS = (0x8769, 0x8825)
EXIF_KEPT_TAGS = frozenset((*_DESCRIPTIVE_TAGS, 274, *EXIF_SUB_IFDS))
"""Those of IFD0 that a TIFF file is given as well: 274 is the orientation."""


def from_pil(image: PilImage.Image) -> Image:
    """See ``Image.from_pil``."""
    image.load()
    icc = image.info.get("icc_profile") or None
    plain, icc = _to_plain_mode(image, icc)
    array = _samples(plain)
    return upright(Image.from_array(array, icc=icc, exif=_exif(image), xmp=_xmp(image)))


def to_pil(image: Image) -> PilImage.Image:
    """See ``Image.to_pil``."""
    array = np.asarray(image)
    if array.dtype == np.uint16 and array.ndim == 3:
        array = _round_to_8_bits(array)
    result = PilImage.fromarray(array)
    if image.icc:
        result.info["icc_profile"] = image.icc
    if image.exif:
        result.info["exif"] = EXIF_PREFIX + image.exif
    if image.xmp:
        result.info["xmp"] = image.xmp
    return result


def _round_to_8_bits(array: Array) -> Array:
    return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _to_plain_mode(image: PilImage.Image, icc: bytes | None) -> tuple[PilImage.Image, bytes | None]:
    """Convert to L, LA, RGB, RGBA, I;16* or I, and return the profile that holds for the result."""
    mode = image.mode
    if mode in ("CMYK", "LAB"):
        return _to_srgb(image, icc), None
    if mode == "P":
        palette_alpha = image.palette is not None and image.palette.mode.endswith("A")
        return image.convert("RGBA" if "transparency" in image.info or palette_alpha else "RGB"), icc
    if mode in ("1", "L", "RGB") and "transparency" in image.info:
        return image.convert("RGBA" if mode == "RGB" else "LA"), icc
    if mode in _PLAIN:
        return image.convert(_PLAIN[mode]), icc
    if mode in ("L", "LA", "RGB", "RGBA", "I") or mode.startswith("I;16"):
        return image, icc
    raise UnsupportedError(f"pictures of PIL mode {mode} cannot be stored in 8 or 16 bits without loss")


def _to_srgb(image: PilImage.Image, icc: bytes | None) -> PilImage.Image:
    """CMYK or LAB to RGB: through the ICC profile, or by Pillow's formula when there is no usable one."""
    from PIL import ImageCms

    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif icc:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
        else:
            return image.convert("RGB")
        converted = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(source), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        converted = None
    if converted is not None:
        return converted
    if image.mode == "LAB":
        raise UnsupportedError("this LAB picture cannot be converted to RGB")
    return image.convert("RGB")


def _samples(image: PilImage.Image) -> Array:
    array = np.asarray(image)
    if image.mode == "I":
        if array.min() < 0 or array.max() > 65535:
            raise UnsupportedError("the samples do not fit into 16 bits")
        array = array.astype(np.uint16)
    return array


def _exif(image: PilImage.Image) -> bytes | None:
    raw = image.info.get("exif")
    if not raw and image.format == "TIFF":
        raw = _tiff_exif(image)
    if not isinstance(raw, bytes):
        return None
    return raw.removeprefix(EXIF_PREFIX) or None


def _tiff_exif(image: PilImage.Image) -> bytes | None:
    """The descriptive part of a TIFF file's own tags. Pillow has applied the orientation already."""
    tags, kept = image.getexif(), PilImage.Exif()
    for tag in _DESCRIPTIVE_TAGS:
        if tag in tags:
            kept[tag] = tags[tag]
    for tag in EXIF_SUB_IFDS:
        if tags.get_ifd(tag):
            kept[tag] = tags.get_ifd(tag)
    return kept.tobytes() if len(kept) else None


def _xmp(image: PilImage.Image) -> bytes | None:
    raw = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    for kind, content in getattr(image, "applist", []) if not raw else []:  # JPEG before Pillow 11
        if kind == "APP1" and content.startswith(JPEG_XMP_PREFIX):
            raw = content[len(JPEG_XMP_PREFIX) :]
    if isinstance(raw, str):
        raw = raw.encode("utf-8")
    return raw if isinstance(raw, bytes) and raw else None
