"""Pillow plugin: after ``import wyner.pillow``, ``Image.open("x.wyn")`` and ``image.save("x.wyn")`` work.

``save`` takes the keyword arguments of ``wyner.encode``; a target that is missed is a warning, as Pillow
keeps no file of a ``save`` that raises. ``open`` knows no side picture: files that need one are read by
``wyner.decode``. As PIL has no mode for them, 16-bit colour and 16-bit alpha are opened rounded to 8 bits.
"""

from __future__ import annotations

import inspect
import warnings
from typing import IO, Any

from PIL import Image as PilImage
from PIL import ImageFile

from . import api, container
from .errors import TargetMissedError, WynerError
from .image import Image
from .pil_modes import EXIF_PREFIX

FORMAT = "WYNER"
MIME = "image/x-wyner"
_SAVE_ARGUMENTS = tuple(inspect.signature(api.encode).parameters)[1:]


class WynerImageFile(ImageFile.ImageFile):
    """A ``.wyn`` file that Pillow has opened: the header is read at once, the samples when first needed."""

    format = FORMAT
    format_description = "wyner neural image"

    def _open(self) -> None:
        if self.fp is None:
            raise SyntaxError("no file")
        self._data = self.fp.read()
        try:
            parts = container.read(self._data)
        except WynerError as error:
            raise SyntaxError(str(error)) from error  # Pillow takes SyntaxError as "not mine or damaged"
        header = parts.header
        self._size = (header.width, header.height)
        grey = "I;16" if header.bit_depth == 16 and not header.has_alpha else "L"
        self._mode = (grey if header.channels == 1 else "RGB") + ("A" if header.has_alpha else "")
        if parts.icc:
            self.info["icc_profile"] = parts.icc
        if parts.exif:
            self.info["exif"] = EXIF_PREFIX + parts.exif
        if parts.xmp:
            self.info["xmp"] = parts.xmp
        self.tile = []

    def load(self) -> PilImage.core.PixelAccess | None:
        """Decode the samples on the first call. Raises OSError when the data is damaged."""
        if self._data:
            try:
                self.im = api.decode(self._data).to_pil().im
            except WynerError as error:
                raise OSError(str(error)) from error
            self._data = b""
            if self.fp is not None and self._exclusive_fp:
                self.fp.close()
            self.fp = None
        return PilImage.Image.load(self)


def _accept(prefix: bytes) -> bool:
    return prefix[: len(container.SIGNATURE)] == container.SIGNATURE


def _save(image: PilImage.Image, fp: IO[bytes], filename: str | bytes) -> None:
    given: dict[str, Any] = getattr(image, "encoderinfo", {})
    arguments = {name: given[name] for name in _SAVE_ARGUMENTS if name in given}
    try:
        data = api.encode(Image.from_pil(image), **arguments)
    except TargetMissedError as error:
        warnings.warn(str(error), stacklevel=4)
        data = error.data
    fp.write(data)


PilImage.register_open(FORMAT, WynerImageFile, _accept)
PilImage.register_save(FORMAT, _save)
PilImage.register_extension(FORMAT, ".wyn")
PilImage.register_mime(FORMAT, MIME)
