"""The tables of a run as text with aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .codec import rate_text
from .table import METRICS, Table

_MEANS = (
    ("bpp", "bpp", 4), ("bpsp", "bpsp", 4), ("psnr_db", "PSNR", 2), ("psnr_of_mean_mse", "of mean MSE", 2),
    ("ms_ssim", "MS-SSIM", 5), ("ms_ssim_db", "in dB", 2), ("lpips", "LPIPS", 4),
    ("ssimulacra2", "SSIMU2", 2), ("encode_cpu_s", "enc core-s", 3), ("decode_cpu_s", "dec core-s", 4),
    ("peak_rss_mb", "peak MB", 0), ("macs_per_pixel", "MAC/px", 0),
)  # fmt: skip
_NAMES = {"psnr_db": "PSNR", "ms_ssim_db": "MS-SSIM dB", "lpips": "LPIPS", "ssimulacra2": "SSIMULACRA2"}
_DIGITS = {"psnr_db": 2, "ms_ssim_db": 2, "lpips": 4, "ssimulacra2": 2}


def to_text(found: Table) -> str:
    """What ``tables`` gave, as lines of any length with "-" for what is not known."""
    count = len(found["images"])
    parts = [f"{found['name']}: {found['description']}".rstrip(": "), f"{count} image{'s' * (count != 1)}"]
    parts += found["notes"]
    parts += ["", "Means over the images", *_columns(_means(found["means"], count)), *found["left_out"]]
    if found["bd"]:
        parts += ["", f"Bits at equal quality, per cent of those of {found['reference']} (negative: fewer)"]
        parts += _columns(_bd(found["bd"]))
        parts += _without(found["bd"])
    if found["matched"]:
        parts += ["", f"At matched rates; differences are from {found['reference']}"]
        parts += _columns(_matched(found["matched"]))
    if found["bd"] or found["matched"]:
        parts += ["", "In brackets: 95 % bootstrap intervals over images, where there are at least five."]
    if found["failed"]:
        parts += ["", f"{len(found['failed'])} failed:", *found["failed"]]
    return "\n".join(parts)


def _means(rows: Sequence[Table], total: int) -> list[list[str]]:
    """total: the images of the run, of which the means of a codec may lack some."""
    used = [column for column in _MEANS if any(row[column[0]] is not None for row in rows)]
    head = ["codec", "rate", "images", *(title for _, title, _ in used)]
    lines = []
    for row in rows:
        start = [row["label"], rate_text(row["setting"]), f"{row['images']} of {total}"]
        lines.append([*start, *(_number(row[key], digits) for key, _, digits in used)])
    return [head, *lines]


def _bd(rows: Sequence[Table]) -> list[list[str]]:
    head = ["metric", "codec", "images", "mean of images", "Akima", "of mean curves", "from", "to"]
    lines = []
    for row in rows:
        curves, name = row["of_means"], row["metric"]
        ends = [_number(curves["bd"][end], _DIGITS[name]) if curves else "-" for end in ("low", "high")]
        lines.append(
            [
                _NAMES[name], row["test"], str(len(row["images"])), _interval(row["pchip"], 2),
                _interval(row["akima"], 2), _of_means(curves), *ends,
            ]
        )  # fmt: skip
    return [head, *lines]


def _without(rows: Sequence[Table]) -> list[str]:
    """Why images have no BD-rate, once for each codec, metric and reason."""
    lines = []
    for row in rows:
        reasons: dict[str, list[str]] = {}
        for image, reason in row["without"].items():
            reasons.setdefault(reason, []).append(image)
        for reason, images in reasons.items():
            lines.append(f"{_NAMES[row['metric']]}, {row['test']}: none for {', '.join(images)}: {reason}")
    return lines


def _matched(rows: Sequence[Table]) -> list[list[str]]:
    used = [name for name in METRICS if any(row["means"][name] is not None for row in rows)]
    head = [
        "target",
        "codec",
        "images",
        "bpp",
        *(text for name in used for text in (_NAMES[name], "difference")),
    ]
    lines = []
    for row in rows:
        total = len(row["images"]) + len(row["off"])
        cells = [f"{row['bpp']:g}", row["label"], f"{len(row['images'])} of {total}"]
        cells.append(_number(row["means"]["bpp"], 4))
        for name in used:
            cells.append(_number(row["means"][name], _DIGITS[name]))
            cells.append(_interval(row["differences"].get(name), _DIGITS[name]))
        lines.append(cells)
    return [head, *lines]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(found: Table | None, digits: int) -> str:
    if found is None:
        return "-"
    text = f"{found['mean']:+.{digits}f}"
    return (
        text if found["low"] is None else f"{text} [{found['low']:+.{digits}f}, {found['high']:+.{digits}f}]"
    )


def _of_means(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    return _interval({"mean": found["bd"]["percent"], "low": found["low"], "high": found["high"]}, 2)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines: the first two columns to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
