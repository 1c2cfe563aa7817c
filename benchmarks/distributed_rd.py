"""Rate and distortion of `--codec ndic` files on KITTI 2012 at 128x256, with the right y, a wrong one and none.

    python benchmarks/distributed_rd.py files --runs runs.tar.xz      # of distributed_train.py
    python benchmarks/distributed_rd.py files --models DIR --only ndic,ndic-none
    python benchmarks/distributed_rd.py table

"files" codes the test pairs of $WYNER_DATA/stereo/kitti2012_128x256 at six qualities with each model, and
decodes each file three times. A line per file and side goes to results/distributed_rd.jsonl: bytes of the whole
file, PSNR, LPIPS (SqueezeNet) and, once for each file, bits of latents and what the network in training
estimates for them. "table" prints BD-rates, means over pictures, and writes them with the mean curves to
results/distributed_rd.json. MS-SSIM is left out: its five scales need 161 rows.
"""

from __future__ import annotations

import argparse
import io as files
import json
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
from rd import RESULTS

import wyner
from wyner import container, io, metrics
from wyner.bench import bd
from wyner.codecs.learned.model import HASH_BYTES
from wyner.nn.rates import LEVELS, level_lambdas
from wyner.nn.side_models import make_model, side_model_file
from wyner.train.distributed import DistributedConfig

QUALITIES = (0, 20, 40, 60, 80, 100)
SIDES = ("right", "wrong", "none")
LINES, SUMMARY = RESULTS / "distributed_rd.jsonl", RESULTS / "distributed_rd.json"
TWINS = {
    "ndic": "ndic-none",
    "ndic-balle2018": "ndic-balle2018-none",
    "aligned": "aligned-none",
    "attention": "ndic-none",
    "dsin": "ndic-none",
}
"""The network without y that each model is compared with: of the same architecture where there is one."""


def unpack(runs: Path, folder: Path) -> dict[str, torch.nn.Module]:
    """Writes a model's file for each run with weights into the folder; the networks by name."""
    found = {}
    with tarfile.open(runs) as tar:
        for member in tar.getnames():
            name, _, kept = member.partition("/")
            if kept != "weights.pt":
                continue
            config = DistributedConfig.of(json.load(tar.extractfile(f"{name}/config.json")))
            state = torch.load(files.BytesIO(tar.extractfile(member).read()), weights_only=True)
            model = make_model(config.model).eval()
            model.load_state_dict({k: v.float() for k, v in state["model"].items()}, strict=False)
            about = {"run": name, "steps": state["step"], "seconds": round(state["seconds"])}
            (folder / f"{name}.safetensors").write_bytes(side_model_file(model, config.model, about))
            found[name] = model
    return found


def estimated_bits(model: torch.nn.Module, pixels: np.ndarray, lam: float) -> float:
    x = torch.from_numpy(pixels.transpose(2, 0, 1)[None] / np.float32(255))
    with torch.inference_mode():
        return float(model.latents(model.g_a(x - 0.5), torch.tensor([lam]), "round")[1][0])


def measure(name: str, model: torch.nn.Module | None, lambda_range: tuple[float, float]) -> list[dict]:
    lefts = sorted((Path(os.environ["WYNER_DATA"]) / "stereo/kitti2012_128x256/test").glob("*_left.*"))
    pairs = [(io.read(left), io.read(str(left).replace("_left", "_right"))) for left in lefts]
    rows = []
    for index, (left, (x, y)) in enumerate(zip(lefts, pairs, strict=True)):
        sides = {"right": y, "wrong": pairs[(index + 1) % len(pairs)][1], "none": None}
        for quality in QUALITIES:
            data = wyner.encode(x, codec="ndic", options={"model": name}, quality=quality, threads=1)
            about = {"model": name, "image": left.stem, "quality": quality}
            about |= {"bytes": len(data), "bpp": 8 * len(data) / (x.width * x.height)}
            if model is not None:
                lam = level_lambdas(lambda_range)[round(quality / 100 * (LEVELS - 1))]
                about["latent_bits"] = 8 * (len(container.read(data).payload) - HASH_BYTES - 1)
                about["estimated_bits"] = estimated_bits(model, x.pixels, float(lam))
            for side in SIDES:
                decoded = wyner.decode(data, side=sides[side], threads=1).pixels
                psnr = metrics.psnr(metrics.mse(x.pixels, decoded), 255)
                lpips = metrics.lpips(x.pixels, decoded, 255)
                rows.append({**about, "side": side, "psnr_db": psnr, "lpips": lpips})
    return rows


def measure_all(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        models: dict[str, torch.nn.Module | None] = {}
        if arguments.runs is not None:
            models |= unpack(arguments.runs, Path(folder))
        else:
            models |= {path.stem: None for path in arguments.models.glob("*.safetensors")}
        os.environ["WYNER_MODELS"] = str(arguments.models or folder)
        for name in arguments.only.split(",") if arguments.only else models:
            range_ = models[name].latents.gains if models[name] is not None else None
            lambdas = (2**range_.low, 2**range_.high) if range_ is not None else (1.0, 1.0)
            rows = measure(name, models[name], lambdas)
            kept = [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []
            kept = [row for row in kept if row["model"] != name]
            LINES.write_text("".join(json.dumps(row) + "\n" for row in kept + rows))
            print(name, len(rows), flush=True)


# --- tables -------------------------------------------------------------------------------------


def curves(rows: list[dict], metric: str) -> dict[str, bd.Curve]:
    """Of each picture, of rows of one model and side."""
    lower = metric == "lpips"
    return {
        image: bd.Curve.of(
            ((row["bpp"], row[metric]) for row in rows if row["image"] == image), lower_is_better=lower
        )
        for image in sorted({row["image"] for row in rows})
    }


def mean_bd(reference: dict[str, bd.Curve], test: dict[str, bd.Curve], overlap: float) -> dict:
    """Mean over pictures, those without enough overlap left out, and how many those are."""
    rates = []
    for image, curve in reference.items():
        try:
            rates.append(bd.bd_rate(curve, test[image], min_overlap=overlap).percent)
        except wyner.bench.bd.NoOverlapError:
            continue
    return {"percent": round(float(np.mean(rates)), 1), "pictures": len(rates), "of": len(reference)}


def refined_rows() -> list[dict]:
    """Our overfitted files on the same pictures, decoded plain and with --refine, of side_refine.py."""
    lines = (RESULTS / "side_refine.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if row["set"] == "kitti2012_128x256"]
    return [
        {"model": "overfit", "image": row["image"], "bpp": row["bpp"], "side": side, "psnr_db": row[key]}
        for row in rows
        for side, key in (("none", "plain"), ("right", "right"))
    ]


def table() -> None:
    rows = [json.loads(line) for line in LINES.read_text().splitlines()] + refined_rows()

    def of(model: str, side: str, metric: str) -> dict[str, bd.Curve]:
        return curves([row for row in rows if row["model"] == model and row["side"] == side], metric)

    names = list(dict.fromkeys(row["model"] for row in rows))
    found: dict = {"bd_rate": {}, "mean_curves": {}, "db_of_sides": {}, "bits": {}}
    for name in names:
        mine = [row for row in rows if row["model"] == name]
        for side in SIDES:
            at = [row for row in mine if row["side"] == side]
            if "quality" in mine[0] and at:
                keys = ("bpp", "psnr_db", "lpips")
                found["mean_curves"][f"{name} {side}"] = [
                    [round(float(np.mean([row[k] for row in at if row["quality"] == q])), 4) for k in keys]
                    for q in QUALITIES
                ]
        psnr = {s: np.mean([row["psnr_db"] for row in mine if row["side"] == s] or [np.nan]) for s in SIDES}
        found["db_of_sides"][name] = {s: round(float(psnr[s] - psnr["none"]), 3) for s in ("right", "wrong")}
        if "estimated_bits" in mine[0]:
            real, guess = (sum(row[key] for row in mine) for key in ("latent_bits", "estimated_bits"))
            found["bits"][name] = {"real_over_estimated_percent": round(100 * (real / guess - 1), 3)}
        for metric, overlap in (("psnr_db", 1.0), ("lpips", 0.02)):
            if metric not in mine[0]:
                continue
            pairs = [(TWINS[name], "none")] if TWINS.get(name) in names else []
            pairs += [(name, "none"), ("ndic", "right"), ("overfit", "none"), ("overfit", "right")]
            for other, side in pairs:
                if (metric == "lpips" and other == "overfit") or other not in names:
                    continue
                own = "none" if name.endswith("-none") else "right"
                if (other, side) == (name, own):
                    continue
                found["bd_rate"].setdefault(f"{name} {own}", {})[f"{metric} against {other} {side}"] = (
                    mean_bd(of(other, side, metric), of(name, own, metric), overlap)
                )
    SUMMARY.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("files", "table"))
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    table() if arguments.what == "table" else measure_all(arguments)


if __name__ == "__main__":
    main()
