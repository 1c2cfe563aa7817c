"""Records made up for tests of reports: smooth curves, no files behind them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

RATES = (0.1, 0.2, 0.4, 0.8, 1.6)


def record(label: str, image: str, bpp: float, psnr_db: float | None, **other: Any) -> dict[str, Any]:
    """A record of a 64x48 picture with every key that a report may read; ``other`` replaces some."""
    mse = 0.0 if psnr_db is None else 255**2 / 10 ** (psnr_db / 10)
    made = {
        "key": f"{label}|{image}|{bpp}",
        "experiment": "made-up",
        "codec": label.split()[0],
        "setting": {"quality": round(100 * bpp)},
        "fixed": {"method": 6},
        "label": label,
        "lossless": psnr_db is None,
        "image": image,
        "image_path": f"{image}.png",
        "image_hash": image,
        "side": None,
        "side_path": None,
        "side_hash": None,
        "width": 64,
        "height": 48,
        "channels": 3,
        "bit_depth": 8,
        "bytes": round(bpp * 64 * 48 / 8),
        "bpp": bpp,
        "bpsp": bpp / 3,
        "file": None,
        "psnr_db": psnr_db,
        "identical": psnr_db is None,
        "mse": mse,
        "ms_ssim": None,
        "ms_ssim_db": None,
        "lpips": None,
        "ssimulacra2": None,
        "encode_s": 0.5,
        "encode_cpu_s": 0.5,
        "decode_s": 0.01,
        "decode_cpu_s": 0.01,
        "peak_rss_mb": None,
        "macs_per_pixel": None,
        "version": "made up 1",
        "code": "0.1.0+0",
        "machine": {"cpu": "made-up processor", "cores": 2},
        "target_bpp": None,
        "measured": "2026-01-02T03:04:05.000+00:00",
        "notes": [],
    }
    return {**made, **other}


def curve(label: str, image: str, gain_db: float = 0.0, rates: tuple[float, ...] = RATES) -> list[dict]:
    """A record for each rate; PSNR grows by 6 dB when the rate doubles twice."""
    return [
        record(label, image, bpp, 36 + gain_db + 3 * math.log2(bpp), lpips=0.3 / (1 + bpp)) for bpp in rates
    ]


def write_run(folder: Path, records: list[dict[str, Any]], **facts: Any) -> Path:
    """A run folder of records and of a description."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(r) + "\n" for r in records)
    (folder / "records-1-of-1.jsonl").write_text(lines, encoding="utf-8")
    described = {"name": "made-up", "description": "", "metrics": [], "reference": None, "published": []}
    described |= {"matched": {"bpp": [], "tolerance": 0.02}} | facts
    (folder / "experiment.json").write_text(json.dumps(described), encoding="utf-8")
    return folder
