"""Classical codecs from the Pillow and imagecodecs wheels, at their strongest sensible settings, one thread.

Nothing here is imported before a codec is used: the bench lists codecs whose packages are not installed, and
says so in one line when an experiment asks for them.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import UnavailableError
from .codec import Codec, Knob, Pixels, Setting

_JPEG_QUALITIES = (3, 5, 8, 12, 18, 25, 35, 45, 55, 65, 75, 82, 88, 92, 95)
_WEBP_QUALITIES = (0, 2, 5, 10, 20, 30, 45, 60, 72, 80, 87, 92, 96, 99)
_AVIF_QUALITIES = (1, 5, 10, 18, 27, 37, 47, 57, 67, 77, 85)
_JPEGXL_DISTANCES = (0.4, 0.7, 1.0, 1.5, 2.2, 3.2, 4.5, 6.5, 9, 13, 19, 25)
_JPEG2000_RATIOS = (6, 9, 13, 19, 27, 38, 54, 77, 110, 160, 230)

# ITU-T T.81, annex K, tables K.1 and K.2, in raster order.
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *(99,) * 32,
)  # fmt: skip


def all_codecs() -> list[Codec]:
    """Every classical codec, lossy ones first."""
    return [*_jpeg(), _webp(), *_avif(), *_jpegxl(), _jpeg2000(), *_lossless()]


def quantisation_tables(quality: float) -> list[list[int]]:
    """Luma and chroma tables (64 values, 1..255, raster order) for a JPEG quality in 1..100.

    At whole qualities they are those of the Independent JPEG Group's scaling; fractions lie between, which
    lets a search meet a rate more closely than whole qualities can.
    """
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    scale = int(scale) if float(quality).is_integer() else scale
    return [[int(min(255, max(1, (v * scale + 50) // 100))) for v in table] for table in (_LUMA, _CHROMA)]


def _jpeg() -> list[Codec]:
    codecs = []
    for tag, subsampling in (("444", "4:4:4"), ("420", "4:2:0")):
        fixed = {"optimize": True, "progressive": True, "subsampling": subsampling}

        def encode(pixels: Pixels, setting: Setting, fixed: Setting = fixed) -> bytes:
            tables = quantisation_tables(setting["quality"])
            return _pillow_encode(pixels, "JPEG", qtables=tables[: pixels.shape[2]], **fixed)

        codecs.append(
            _lossy(
                f"jpeg_{tag}", ".jpg", encode, _pillow_decode, _pillow_version("libjpeg_turbo"), fixed,
                Knob("quality", 1, 100, True), _JPEG_QUALITIES,
            )
        )  # fmt: skip
    return codecs


def _webp() -> Codec:
    fixed = {"method": 6}

    def encode(pixels: Pixels, setting: Setting) -> bytes:
        return _pillow_encode(_three(pixels), "WEBP", quality=setting["quality"], **fixed)

    return _lossy(
        "webp", ".webp", encode, _pillow_decode, _pillow_version("webp"), fixed,
        Knob("quality", 0, 100, True), _WEBP_QUALITIES,
    )  # fmt: skip


def _avif() -> list[Codec]:
    """8 bits tuned for PSNR (Pillow), and 10 bits inside with the encoder's own tuning (imagecodecs)."""
    eight = {"codec": "aom", "subsampling": "4:4:4", "speed": 2, "max_threads": 1, "tune": "psnr"}
    ten = {"codec": "aom", "pixelformat": "444", "speed": 2, "numthreads": 1, "bitspersample": 10}

    def encode8(pixels: Pixels, setting: Setting) -> bytes:
        options = {key: value for key, value in eight.items() if key != "tune"}
        advanced = {"tune": eight["tune"]}
        quality = setting["quality"]
        return _pillow_encode(_three(pixels), "AVIF", quality=quality, advanced=advanced, **options)

    def encode10(pixels: Pixels, setting: Setting) -> bytes:
        wide = (_three(pixels).astype(np.uint32) * 1023 + 127) // 255
        return bytes(_imagecodecs().avif_encode(wide.astype(np.uint16), level=setting["quality"], **ten))

    def decode10(data: bytes) -> Pixels:
        wide = _imagecodecs().avif_decode(data, numthreads=1).astype(np.uint32)
        return ((wide * 255 + 511) // 1023).astype(np.uint8)

    knob = Knob("quality", 0, 100, True, integer=True)
    return [
        _lossy("avif_444", ".avif", encode8, _pillow_decode, _avif_version, eight, knob, _AVIF_QUALITIES),
        _lossy(
            "avif_444_10b", ".avif", encode10, decode10, _imagecodecs_version("avif"), ten, knob,
            _AVIF_QUALITIES,
        ),
    ]  # fmt: skip


def _jpegxl() -> list[Codec]:
    """It aims at perceived quality, not at PSNR."""
    codecs = []
    for effort in (7, 9):
        fixed = {"effort": effort, "numthreads": 1}

        def encode(pixels: Pixels, setting: Setting, fixed: Setting = fixed) -> bytes:
            planes = _squeezed(pixels)
            return bytes(_imagecodecs().jpegxl_encode(planes, distance=setting["distance"], **fixed))

        knob = Knob("distance", 0.05, 25, False, logarithmic=True)
        codecs.append(
            _lossy(
                f"jpegxl_e{effort}", ".jxl", encode, _jpegxl_decode, _imagecodecs_version("jpegxl"), fixed,
                knob, _JPEGXL_DISTANCES, depths=(8, 16),
            )
        )  # fmt: skip
    return codecs


def _jpeg2000() -> Codec:
    """Irreversible wavelet and colour transforms, one layer, without the JP2 wrapper (85 bytes)."""
    fixed = {"quality_mode": "rates", "irreversible": True, "mct": 1, "no_jp2": True}

    def encode(pixels: Pixels, setting: Setting) -> bytes:
        options = {**fixed, "mct": int(pixels.shape[2] == 3)}
        return _pillow_encode(pixels, "JPEG2000", quality_layers=[setting["ratio"]], **options)

    return _lossy(
        "jpeg2000", ".j2k", encode, _pillow_decode, _pillow_version("jpg_2000"), fixed,
        Knob("ratio", 1.5, 2000, False, logarithmic=True), _JPEG2000_RATIOS,
    )  # fmt: skip


def _lossless() -> list[Codec]:
    webp = {"lossless": True, "quality": 100, "method": 6, "exact": True}
    jxl = {"lossless": True, "effort": 9, "numthreads": 1}
    png = {"optimize": True}
    return [
        _exact("png", ".png", lambda pixels: _png_encode(pixels, png), _png_decode, _pillow_version("zlib"),
               png, (8, 16)),
        _exact("webp_lossless", ".webp", lambda pixels: _pillow_encode(_three(pixels), "WEBP", **webp),
               _pillow_decode, _pillow_version("webp"), webp, (8,)),
        _exact("jpegxl_lossless", ".jxl",
               lambda pixels: bytes(_imagecodecs().jpegxl_encode(_squeezed(pixels), **jxl)),
               _jpegxl_decode, _imagecodecs_version("jpegxl"), jxl, (8, 16)),
        _exact("jpegls", ".jls", lambda pixels: bytes(_imagecodecs().jpegls_encode(_squeezed(pixels))),
               lambda data: np.asarray(_imagecodecs().jpegls_decode(data)), _imagecodecs_version("jpegls"),
               {"near": 0}, (8, 16)),
    ]  # fmt: skip


def _lossy(
    name: str,
    suffix: str,
    encode: Callable[[Pixels, Setting], bytes],
    decode: Callable[[bytes], Pixels],
    version: Callable[[], str],
    fixed: Setting,
    knob: Knob,
    values: tuple[float, ...],
    depths: tuple[int, ...] = (8,),
) -> Codec:
    return Codec(
        name,
        suffix,
        lambda pixels, setting, side, threads: encode(pixels, setting),
        lambda data, side, threads: decode(data),
        version,
        tuple({knob.key: value} for value in values),
        frozenset({knob.key}),
        fixed,
        knob=knob,
        depths=depths,
        check=knob.check,
    )


def _exact(
    name: str,
    suffix: str,
    encode: Callable[[Pixels], bytes],
    decode: Callable[[bytes], Pixels],
    version: Callable[[], str],
    fixed: Setting,
    depths: tuple[int, ...],
) -> Codec:
    return Codec(
        name,
        suffix,
        lambda pixels, setting, side, threads: encode(pixels),
        lambda data, side, threads: decode(data),
        version,
        ({},),
        frozenset(),
        fixed,
        lossless=True,
        depths=depths,
    )


def _three(pixels: Pixels) -> Pixels:
    """Three equal planes of a grey picture, for formats that have no grey."""
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels


def _squeezed(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _pillow_encode(pixels: Pixels, kind: str, **options: Any) -> bytes:
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(_squeezed(pixels)).save(sink, kind, **options)
    return sink.getvalue()


def _pillow_decode(data: bytes) -> Pixels:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened if opened.mode == "L" else opened.convert("RGB"))


def _jpegxl_decode(data: bytes) -> Pixels:
    return np.asarray(_imagecodecs().jpegxl_decode(data, numthreads=1))


def _png_encode(pixels: Pixels, options: Setting) -> bytes:
    if pixels.dtype == np.uint8:
        return _pillow_encode(pixels, "PNG", **options)
    from .. import png16
    from ..image import Image

    return png16.encode(Image.from_array(pixels))


def _png_decode(data: bytes) -> Pixels:
    from .. import io as files

    return files.read(data).pixels


def _imagecodecs() -> Any:
    try:
        import imagecodecs
    except ImportError:
        raise UnavailableError("needs the package imagecodecs: pip install 'wyner[bench]'") from None
    return imagecodecs


def _imagecodecs_version(part: str) -> Callable[[], str]:
    def version() -> str:
        package = _imagecodecs()
        if not getattr(package, part.upper()).available:
            raise UnavailableError(f"this imagecodecs was built without {part}")
        return f"imagecodecs {package.__version__}, {getattr(package, f'{part}_version')()}"

    return version


def _pillow_version(feature: str) -> Callable[[], str]:
    def version() -> str:
        import PIL
        from PIL import features

        found = features.version(feature)
        if not found:
            raise UnavailableError(f"this Pillow was built without {feature}")
        return f"Pillow {PIL.__version__}, {feature} {found}"

    return version


def _avif_version() -> str:
    from PIL import features

    if "avif" not in features.modules:
        raise UnavailableError("needs Pillow 11.3 or later, which writes AVIF")
    return f"{_pillow_version('avif')()}, aom"
