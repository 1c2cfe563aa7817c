"""BD-rates of `--codec ndic` on KITTI 2012 at 128x256, each model against several references.

    python benchmarks/distributed_bd.py

Reads results/distributed.jsonl (`wyner bench run benchmarks/distributed.toml`) and, for our overfitted
files on the same pictures, plain and with --refine, results/side_refine.jsonl. Means over pictures of
BD-rates in percent (PCHIP of log rate, on PSNR and LPIPS), with bootstrap intervals of 95 % and how many
pictures have enough in common for one. Also the mean curves, and how many dB the right y and a wrong one are
above none. Writes results/distributed_bd.json.
"""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
from rd import RESULTS

from wyner.bench import bd, intervals
from wyner.errors import NoOverlapError

Points = dict[str, list[dict]]
"""Measured files by picture."""

REFERENCES = ("ndic-none none", "ndic right", "dsin right", "overfit none", "overfit right")
TWINS = {
    f"{name}{seed} right": f"{name}-none{seed} none"
    for name in ("ndic", "ndic-aligned", "ndic-attention", "ndic-balle2018")
    for seed in ("", "-seed1", "-seed2")
}
"""The same network trained without y."""
ONLY_PSNR = ("overfit",)


def measured() -> dict[str, Points]:
    """By model and what the decoder was given."""
    found: dict[str, Points] = defaultdict(lambda: defaultdict(list))
    for line in (RESULTS / "distributed.jsonl").read_text().splitlines():
        row = json.loads(line)
        name = f"{row['setting']['options']['model']} {row['side_given']}"
        found[name][row["image"]].append({**row, "quality": row["setting"]["quality"]})
    for line in (RESULTS / "side_refine.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["set"] == "kitti2012_128x256":
            for side, key in (("none", "plain"), ("right", "right")):
                point = {"bpp": row["bpp"], "psnr_db": row[key], "quality": row["quality"]}
                found[f"overfit {side}"][row["image"]].append(point)
    return found


def mean_bd(reference: Points, test: Points, metric: str) -> str | None:
    rates = []
    for image in reference.keys() & test.keys():
        lower = metric in bd.LOWER_IS_BETTER
        a, b = (
            bd.Curve.of(((p["bpp"], p[metric]) for p in points[image]), lower_is_better=lower)
            for points in (reference, test)
        )
        try:
            rates.append(bd.bd_rate(a, b, min_overlap=bd.MIN_OVERLAP[metric]).percent)
        except NoOverlapError:
            continue
    if not rates:
        return None
    mean = intervals.bootstrap_mean(rates)
    spread = "" if mean.low is None else f" [{mean.low:.1f}, {mean.high:.1f}]"
    return f"{mean.mean:.1f}{spread} ({len(rates)} of {len(reference)})"


def mean_curve(points: Points) -> list[list[float]]:
    """(bpp, dB) by quality."""
    by_quality = defaultdict(list)
    for rows in points.values():
        for row in rows:
            by_quality[row["quality"]].append((row["bpp"], row["psnr_db"]))
    return [np.round(np.mean(by_quality[q], 0), 4).tolist() for q in sorted(by_quality)]


def main() -> None:
    found = measured()
    rates: dict[str, dict[str, str | None]] = {}
    for name, points in found.items():
        if name.startswith("overfit none"):
            continue
        rows = {}
        model, _, side = name.partition(" ")
        own = [f"{model} none"] if side != "none" else []
        for reference in dict.fromkeys([*own, *filter(None, [TWINS.get(name)]), *REFERENCES]):
            if reference == name:
                continue
            for metric in ("psnr_db", "lpips"):
                if metric == "psnr_db" or not any(part in name + reference for part in ONLY_PSNR):
                    rows[f"{metric} against {reference}"] = mean_bd(found[reference], points, metric)
        rates[name] = rows
    curves = {name: mean_curve(points) for name, points in found.items()}
    level = {name: float(np.mean([db for _, db in curve])) for name, curve in curves.items()}
    above = {
        name: round(level[name] - level[f"{name.split()[0]} none"], 3)
        for name in found
        if name.endswith((" right", " wrong"))
    }
    summary = {"bd_rate_percent": rates, "db_above_none": above, "mean_curves": curves}
    (RESULTS / "distributed_bd.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
