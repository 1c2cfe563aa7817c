"""Train the priors of the networks by Reptile (Nichol et al. 2018): fit a crop, move the prior to the result.

    python tools/train_priors.py FOLDER... --architecture large --state large.npz --minutes 30
    python tools/train_priors.py --architecture large --state large.npz --write

The first command goes on from the state file if it is there and may be stopped at any time; several may run
at once on state files of their own. The second puts the priors into models.json (then run
tools/make_tables.py). One prior is kept for each range of lambda. The means start a fit and are what its file
codes differences to; the scales are the mean absolute differences seen, the Laplace scales of those.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from wyner import _native
from wyner.codecs.overfit.model import Model, load_model
from wyner.codecs.overfit.schedule import CHUNK, LAMBDA_EDGES, MODELS, Plan
from wyner.codecs.overfit.stream import round_latents
from wyner.codecs.overfit.weights import quantise_weights

MODELS_JSON = Path(__file__).parents[1] / "src/wyner/reference/models.json"
LAMBDAS = ((1.5e-4, LAMBDA_EDGES[0]), LAMBDA_EDGES, (LAMBDA_EDGES[1], 3e-2))
CROP = 256
GRIDS = 7
STEPS = 800
PHOTOGRAPH = 768 * 512  # pixels; the parameters of a crop cost as much per pixel as those of a photograph
PROBES = 60
FIRST_RATE, LAST_RATE = 1 / 6, 0.04  # share of the way that the prior moves; 1 / (6 + fits) in between
SUFFIXES = {".png", ".webp", ".jpg", ".jpeg"}


class State:
    """Priors of one architecture: mean and mean absolute difference, (3, parameters), and fits done, (3,)."""

    def __init__(self, path: Path, architecture: str) -> None:
        self.path = path
        self.models = MODELS[architecture]
        tables = _native.overfit_models()
        self.mean = np.array([np.ldexp(tables[m]["mean"], -14) for m in self.models], np.float64)
        self.spread = np.array([2.0 ** (tables[m]["scale"] / 16 - 14) for m in self.models])
        self.fits = np.zeros(len(self.models), np.int64)
        if path.exists():
            saved = np.load(path)
            self.mean, self.spread, self.fits = saved["mean"], saved["spread"], saved["fits"]

    def model(self, which: int) -> Model:
        """The model of a range of lambda with the present prior."""
        return dataclasses.replace(load_model(self.models[which], GRIDS), **self.prior(which))

    def prior(self, which: int) -> dict[str, np.ndarray]:
        """Means and scales as the tables hold them."""
        scale = 16 * (np.log2(np.maximum(self.spread[which], 2e-3)) + 14)
        return {
            "mean": np.rint(np.ldexp(self.mean[which], 14)).astype(np.int32),
            "scale": np.clip(np.rint(scale), 0, 240).astype(np.int32),
        }

    def save(self) -> None:
        """Write the state; a run that is killed leaves the old one."""
        temporary = self.path.with_suffix(".tmp.npz")
        np.savez(temporary, mean=self.mean, spread=self.spread, fits=self.fits)
        os.replace(temporary, self.path)


def random_crop(paths: list[Path], rng: np.random.Generator) -> np.ndarray:
    """A float32 (3, CROP, CROP) crop in [0, 1] of a random picture, flipped half of the time."""
    while True:
        picture = Image.open(paths[rng.integers(len(paths))]).convert("RGB")
        if min(picture.size) >= CROP:
            break
    x, y = (int(rng.integers(n - CROP + 1)) for n in picture.size)
    pixels = np.asarray(picture.crop((x, y, x + CROP, y + CROP)), np.float32).transpose(2, 0, 1) / 255
    return np.ascontiguousarray(pixels[:, :, ::-1] if rng.random() < 0.5 else pixels)


def fit(
    image: np.ndarray, model: Model, start: np.ndarray, lam: float, seed: int
) -> tuple[np.ndarray, float]:
    """Parameters after a short fit from ``start``, as a file would hold them, and the last loss.

    Quantised as for a file, parameters that the picture does not need stay at the prior.
    """
    plan = Plan(STEPS, 0, 0, 0, weight_rate=CROP**2 / PHOTOGRAPH)
    fitter = _native.Fitter(image, model.index, GRIDS, 1, seed)
    fitter.set_params(start.astype(np.float32))
    for step in range(0, STEPS, CHUNK):
        x = step / STEPS
        rates = plan.lr_latents * plan.cosine(x), plan.lr_params * plan.cosine(x)
        mse, bits = fitter.run(CHUNK, *rates, *plan.anneal(x), lam, False, plan.weight_rate)
    fitter.set_latents([y.astype(np.float32) for y in round_latents(fitter.get_latents())])

    def gradients(params: np.ndarray) -> dict:
        fitter.set_params(params)
        return fitter.gradients(lam)

    weights = quantise_weights(
        model, fitter.get_params(), lam, PHOTOGRAPH,
        lambda p: gradients(p)["loss"], lambda p: gradients(p)["params"], PROBES,
    )  # fmt: skip
    return weights.values(model).astype(np.float64), mse + lam * bits / image[0].size


def train(state: State, paths: list[Path], minutes: float, ranges: list[int], seed: int) -> None:
    """Reptile steps until the time is up, on the ranges of lambda in turn."""
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        which = min(ranges, key=lambda r: state.fits[r])
        rng = np.random.default_rng([seed, which, state.fits[which]])
        lam = float(np.exp(rng.uniform(*np.log(LAMBDAS[which]))))
        model = state.model(which)
        params, loss = fit(random_crop(paths, rng), model, state.mean[which], lam, int(rng.integers(2**31)))
        rate = max(LAST_RATE, FIRST_RATE / (1 + FIRST_RATE * state.fits[which]))
        state.fits[which] += 1
        if not math.isfinite(loss):
            continue
        difference = params - state.mean[which]
        state.mean[which] += rate * difference
        state.spread[which] += max(0.03, rate) * (np.abs(difference) - state.spread[which])
        state.save()
        print(
            f"range {which}, fit {state.fits[which]}, lambda {lam:.1e}, loss {loss:.3e}, "
            f"moved {np.abs(difference).mean():.4f}",
            flush=True,
        )


def write(state: State) -> None:
    """Put the priors into models.json; a range without fits keeps its old one."""
    models = json.loads(MODELS_JSON.read_text())["models"]
    for row, index in enumerate(state.models):
        if not state.fits[row]:
            continue
        models[index] |= {name: values.tolist() for name, values in state.prior(row).items()}
    rows = ",\n".join(json.dumps(m, separators=(",", ":")) for m in models)
    MODELS_JSON.write_text('{"models":[\n' + rows + "\n]}\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--architecture", choices=sorted(MODELS), required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--ranges", type=int, nargs="+", default=[0, 1, 2], help="0: low lambda .. 2: high")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="write models.json instead of training")
    args = parser.parse_args()
    state = State(args.state, args.architecture)
    if args.write:
        write(state)
        return
    paths = sorted(p for folder in args.folders for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        parser.error("no pictures in the folders given")
    train(state, paths, args.minutes, args.ranges, args.seed)


if __name__ == "__main__":
    main()
