"""A small run folder made by the real pipeline: two small pictures, JPEG, WebP and a wyner codec.

    python tests/bench_sample.py FOLDER      # makes FOLDER/run and FOLDER/pictures

Tests import ``make``; people who work on the report use the folder.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from wyner import io
from wyner.batch.executor import InlineExecutor
from wyner.batch.manifest import Manifest
from wyner.batch.shard import Shard
from wyner.bench.experiment import parse
from wyner.bench.plan import make_plan
from wyner.bench.published import PublishedCurve
from wyner.bench.run import describe_run, execute, pending
from wyner.image import Image

CODECS: list[dict[str, Any]] = [
    {"name": "jpeg_444", "quality": [5, 12, 25, 45, 65, 85]},
    {"name": "webp", "quality": [0, 10, 30, 60, 80, 95]},
    {"name": "wyner_overfit", "effort": 1, "quality": [20, 45, 70, 85]},
    {"name": "png"},
]
PUBLISHED = PublishedCurve(
    "A published codec",
    "made up for tests",
    "two pictures",
    None,
    ({"bpp": 0.5, "psnr_db": 26.0}, {"bpp": 1.0, "psnr_db": 29.0}, {"bpp": 2.0, "psnr_db": 33.0}),
)


def picture(seed: int, height: int, width: int) -> np.ndarray[Any, Any]:
    """A smooth (height, width, 3) uint8 picture with edges and noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.dstack([np.sin(x / (7 + 3 * c) + seed) * np.cos(y / (9 + 2 * c)) for c in range(3)])
    edges = 60.0 * ((x // 16 + y // 24) % 2)[:, :, None]
    return (110 + 60 * waves + edges + rng.normal(0, 4, waves.shape)).clip(0, 255).astype(np.uint8)


def make(
    folder: Path,
    codecs: list[dict[str, Any]] | None = None,
    size: tuple[int, int] = (176, 192),
    matched: tuple[float, ...] = (0.8, 1.6),
    metrics: tuple[str, ...] = ("psnr", "ms_ssim"),
) -> Path:
    """Make pictures and a run folder of them under ``folder``; return the run folder."""
    pictures, run = folder / "pictures", folder / "run"
    pictures.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(("first", "second")):
        io.write(pictures / f"{name}.png", Image.from_array(picture(seed, *size)), overwrite=True)
    table = {
        "name": "sample",
        "description": "Two made pictures",
        "images": ["pictures"],
        "metrics": [*metrics],
    }
    table |= {"codecs": codecs or CODECS, "matched": {"bpp": [*matched]}, "reference": "jpeg_444"}
    experiment = parse(table, folder)
    plan = make_plan(experiment, run)
    assert not plan.problems, plan.problems
    describe_run(experiment, run, [PUBLISHED])
    with closing(Manifest(run / Shard().file_name("records"))) as log:
        for record in execute(pending(plan.tasks, run), InlineExecutor(), log, window=4):
            assert "error" not in record, record["error"]
    return run


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
