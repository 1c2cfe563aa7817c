"""A picture in memory: samples, optional alpha, and the metadata that travels with them."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .errors import UsageError

if TYPE_CHECKING:
    from PIL import Image as PilImage

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Image:
    """One picture.

    pixels: (H, W, C), C in {1 (grey), 3 (RGB)}, H and W at least 1, uint8 or uint16 over the full range.
    alpha: (H, W) of the same dtype (0 clear, the greatest value opaque, not premultiplied), or None.
    icc, exif, xmp: metadata as bytes, or None. EXIF begins with its TIFF header ("II" or "MM").
        Without an ICC profile the samples are taken as sRGB.

    Raises UsageError when an array does not have such a shape or dtype.
    """

    pixels: Array
    alpha: Array | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None

    def __post_init__(self) -> None:
        pixels, alpha = self.pixels, self.alpha
        if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
            raise UsageError(f"pixels must be an array (H, W, 1) or (H, W, 3), not {_describe(pixels)}")
        if pixels.dtype not in (np.uint8, np.uint16):
            raise UsageError(f"pixels must be uint8 or uint16, not {pixels.dtype}")
        if 0 in pixels.shape:
            raise UsageError(f"the picture is empty: {_describe(pixels)}")
        if alpha is not None:
            if not isinstance(alpha, np.ndarray) or alpha.shape != pixels.shape[:2]:
                raise UsageError(f"alpha must be an array {pixels.shape[:2]}, not {_describe(alpha)}")
            if alpha.dtype != pixels.dtype:
                raise UsageError(f"alpha is {alpha.dtype} but the pixels are {pixels.dtype}")
        for name in ("icc", "exif", "xmp"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, bytes) and value):
                raise UsageError(f"{name} must be None or bytes, at least one")

    @property
    def width(self) -> int:
        """Columns, at least 1."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows, at least 1."""
        return int(self.pixels.shape[0])

    @property
    def channels(self) -> int:
        """Colour planes: 1 (grey) or 3 (RGB); alpha does not count."""
        return int(self.pixels.shape[2])

    @property
    def bit_depth(self) -> int:
        """8 or 16."""
        return 8 * self.pixels.dtype.itemsize

    @property
    def maxval(self) -> int:
        """The greatest sample value: 255 or 65535."""
        return (1 << self.bit_depth) - 1

    def __eq__(self, other: object) -> bool:
        """Same samples, alpha and metadata."""
        if not isinstance(other, Image):
            return NotImplemented
        mine, theirs = (self.icc, self.exif, self.xmp), (other.icc, other.exif, other.xmp)
        return mine == theirs and _same(self.pixels, other.pixels) and _same(self.alpha, other.alpha)

    __hash__ = None  # type: ignore[assignment]  # the arrays can change

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """The samples for NumPy: (H, W) or (H, W, 2..4), alpha last, as ``from_array`` takes them."""
        planes = self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])
        array = planes[:, :, 0] if planes.shape[2] == 1 else planes
        return np.array(array, dtype=dtype) if copy else np.asarray(array, dtype=dtype)

    @classmethod
    def from_array(
        cls,
        array: npt.ArrayLike,
        *,
        icc: bytes | None = None,
        exif: bytes | None = None,
        xmp: bytes | None = None,
    ) -> Image:
        """Make an image of an array (H, W) or (H, W, C): C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.

        dtype uint8 or uint16 over the full range, or bool (False is black). Raises UsageError for others,
        floating point among them: scaling and rounding are the caller's choice.
        """
        data = np.asarray(array)
        if data.dtype == np.bool_:
            data = data.astype(np.uint8) * np.uint8(255)
        if data.dtype.kind != "u" or data.dtype.itemsize > 2:
            raise UsageError(f"the array is {data.dtype}; give uint8 or uint16 (or bool)")
        data = data.astype(data.dtype.newbyteorder("="), copy=False)
        if data.ndim == 2:
            data = data[:, :, None]
        if data.ndim != 3 or data.shape[2] not in (1, 2, 3, 4):
            raise UsageError(f"the array must be (H, W) or (H, W, 1..4), not {_describe(data)}")
        has_alpha = data.shape[2] in (2, 4)
        pixels = np.ascontiguousarray(data[:, :, :-1] if has_alpha else data)
        alpha = np.ascontiguousarray(data[:, :, -1]) if has_alpha else None
        return cls(pixels, alpha, icc or None, exif or None, xmp or None)

    @classmethod
    def from_pil(cls, image: PilImage.Image) -> Image:
        """Make an image of a PIL image of any mode, its EXIF orientation applied, its metadata kept.

        CMYK and LAB are converted to sRGB through their ICC profile where there is one. Modes "I" and
        "F" hold more than 16 bits: "I" is taken as 16 bits when its values fit; UnsupportedError otherwise.
        """
        from .pil_modes import from_pil

        return from_pil(image)

    def to_pil(self) -> PilImage.Image:
        """A PIL image of mode L, LA, RGB, RGBA or I;16, with the metadata in ``info``.

        PIL has no mode for 16-bit colour or 16-bit alpha: such pictures are rounded to 8 bits.
        """
        from .pil_modes import to_pil

        return to_pil(self)


def pixel_hash(image: Image) -> bytes:
    """16 bytes that tell the samples of a picture, alpha included, metadata not (docs/spec/container.md)."""
    has_alpha = image.alpha is not None
    digest = hashlib.sha256(
        struct.pack("<IIBBB", image.width, image.height, image.channels, image.bit_depth, has_alpha)
    )
    for plane in (image.pixels, image.alpha):
        if plane is not None:
            digest.update(np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<")).data)
    return digest.digest()[:16]


def _same(a: Array | None, b: Array | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b)


def _describe(value: object) -> str:
    return f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
