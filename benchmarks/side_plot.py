"""Curves of results/side_*.jsonl on KITTI, as results/side_kitti.svg (needs Matplotlib, extra bench).

    python benchmarks/side_plot.py

Left: means over the eight native test pairs at each quality or quantiser, in file bytes (of x265 the
bytes of the picture's slices). Right: means over the test pairs at 128x256, and curves published there,
of $WYNER_DATA/../anchors, whose rates are likelihoods and whose test set is larger.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from rd import RESULTS, read_records
from side_refine import published

matplotlib.use("Agg")
from matplotlib import pyplot

TARGET = RESULTS / "side_kitti.svg"
COLOURS = {
    "wyner, y at both ends (--side)": "#1d6fc9",
    "wyner, y at the decoder (--refine)": "#d2691a",
    "wyner without y": "#22884c",
}
SHOWN = ("NDIC+Balle2017", "DSIN", "NeuralDSC+latent_prior", "Balle2018(digitised)")


def means(records: list[dict[str, Any]], key: str, psnr: str) -> np.ndarray:
    """(points, 2): mean bpp and PSNR of the records of each value of ``key``, by rate."""
    values = {record[key] for record in records}
    groups = [[(r["bpp"], r[psnr]) for r in records if r[key] == value] for value in values]
    whole = max(map(len, groups), default=0)
    return np.array(sorted(tuple(np.mean(group, axis=0)) for group in groups if len(group) == whole))


def native() -> dict[str, np.ndarray]:
    """Curves of the native pairs."""
    ours = [r for r in read_records(RESULTS / "side_rd.jsonl") if r["pair"].startswith("kitti2012/")]
    other = [r for r in read_records(RESULTS / "side_x265.jsonl") if r["pair"].startswith("kitti2012/")]
    refined = [r for r in read_records(RESULTS / "side_refine.jsonl") if r["set"] == "kitti2012"]
    return {
        "wyner, y at both ends (--side)": means(
            [r for r in ours if r["row"] == "right"], "quality", "psnr_db"
        ),
        "wyner, y at the decoder (--refine)": means(refined, "quality", "right"),
        "wyner without y": means([r for r in ours if r["row"] == "alone"], "quality", "psnr_db"),
        "x265, y at both ends": means([r for r in other if r["mode"] == "conditional"], "qp", "psnr_db"),
        "x265 without y": means([r for r in other if r["mode"] == "alone"], "qp", "psnr_db"),
    }


def small() -> dict[str, np.ndarray]:
    """Curves at 128x256."""
    ours = [r for r in read_records(RESULTS / "side_refine.jsonl") if r["set"] == "kitti2012_128x256"]
    curves = {
        "wyner, y at the decoder (--refine)": means(ours, "quality", "right"),
        "wyner without y": means(ours, "quality", "plain"),
    }
    return curves | {name: np.array(published()[name]) for name in SHOWN}


def draw(axes: Any, curves: dict[str, np.ndarray], title: str) -> None:
    axes.set_prop_cycle(color=["#c5364a", "#7a55c7", "#0d8794", "#8b6334"])
    for name, points in curves.items():
        ours = name.startswith("wyner")
        axes.plot(
            *points.T, "o-" if ours else "s--", label=name, linewidth=1.8 if ours else 1, markersize=3.5
        )
    axes.set(title=title, xlabel="bits per pixel", ylabel="PSNR of RGB, dB", xlim=(0, 0.9))
    axes.legend(fontsize=7, frameon=False, loc="lower right")


def main() -> None:
    pyplot.rcParams |= {"font.size": 8, "svg.fonttype": "none", "svg.hashsalt": "wyner", "axes.grid": True}
    pyplot.rcParams |= {"grid.color": "#dbe1e7", "axes.spines.top": False, "axes.spines.right": False}
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    draw(left, native(), "KITTI 2012, 1242x375, eight test pairs")
    draw(right, small(), "KITTI 2012 at 128x256, fifteen test pairs")
    right.set(ylabel=None, xlim=(0, 0.55))
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    TARGET.write_text("\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n")


if __name__ == "__main__":
    main()
