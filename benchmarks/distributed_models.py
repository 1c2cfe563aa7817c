"""Makes files of models of what benchmarks/distributed_train.py left, and checks their rates.

    python benchmarks/distributed_models.py models runs_*.tar [--note TEXT] [--only ndic,ndic-none]

A file for each run with weights, models/NAME.safetensors, for `--codec ndic` by WYNER_MODELS=models. Then
each of them, or of --only, codes, at three qualities, the test pairs of $WYNER_DATA/stereo/kitti2012_128x256
and the four native pairs of stereo/kitti2012 of which nothing was trained on. A line of JSON for each set
tells the bits of latents in the files, what the network in training estimates for them, with and without the
lengths that streams begin with (of a picture's one tile), the bytes of whole files, mean
PSNR with the right y and with none, and multiply-accumulates and seconds of coding. Kept as
results/distributed_models.jsonl.
"""

from __future__ import annotations

import argparse
import copy
import io as files
import json
import os
import tarfile
import time
import warnings
from pathlib import Path

import torch

import wyner
from wyner import container, io, metrics
from wyner.codecs.learned.model import HASH_BYTES
from wyner.codecs.learned.picture import Padded
from wyner.nn.rates import LEVELS, level_lambdas
from wyner.nn.side_models import macs_per_pixel, make_model, side_model_file
from wyner.train.distributed import DistributedConfig

QUALITIES = (10, 50, 90)
SETS = {
    "kitti2012_128x256": "kitti2012_128x256/test/*_left.*",
    "kitti2012": "kitti2012/0000[89][1458]_*_left.*",
}


def unpack(runs: Path, folder: Path, note: str) -> dict[str, tuple[torch.nn.Module, DistributedConfig]]:
    """Writes the files; networks and configurations by the names of the files."""
    found = {}
    with tarfile.open(runs) as tar:
        for member in tar.getnames():
            run, _, kept = member.partition("/")
            if kept != "weights.pt":
                continue
            tables = json.load(tar.extractfile(f"{run}/config.json"))
            config = DistributedConfig.of(tables)
            state = torch.load(files.BytesIO(tar.extractfile(member).read()), weights_only=True)
            model = make_model(config.model).eval()
            model.load_state_dict({k: v.float() for k, v in state["model"].items()}, strict=False)
            about = {name: tables[name] for name in ("loss", "loop", "sources")}
            about |= {"steps": state["step"], "seconds": round(state["seconds"]), "note": note}
            data = side_model_file(copy.deepcopy(model), config.model, about)
            (folder / f"{run}.safetensors").write_bytes(data)
            found[run] = model, config
    return found


def rates(name: str, model: torch.nn.Module, config: DistributedConfig, lefts: list[Path]) -> dict:
    """Sums and means over the files."""
    levels = level_lambdas(config.model.lambda_range)
    real = estimated = whole = lengths = 0.0
    seconds, psnr = {"encode": 0.0, "decode": 0.0}, {"right": 0.0, "none": 0.0}
    count = len(lefts) * len(QUALITIES)
    for left in lefts:
        x, y = io.read(left), io.read(str(left).replace("_left", "_right"))
        for quality in QUALITIES:
            start = time.process_time()
            data = wyner.encode(x, codec="ndic", options={"model": name}, quality=quality, threads=1)
            middle = time.process_time()
            right = wyner.decode(data, side=y, threads=1)
            seconds["encode"] += (middle - start) / count
            seconds["decode"] += (time.process_time() - middle) / count
            for key, decoded in (("right", right), ("none", wyner.decode(data, threads=1))):
                psnr[key] += metrics.psnr(metrics.mse(x.pixels, decoded.pixels), 255) / count
            multiple = 16 if config.model.prior == "factorised" else 64
            estimated += estimated_bits(model, x, multiple, levels[round(quality / 100 * (LEVELS - 1))])
            latents = len(container.read(data).payload) - HASH_BYTES - 1
            real += 8 * latents
            lengths += 8 * len(container.varint(latents))
            whole += len(data)
    return {
        "files": count,
        "latent_bits": round(real),
        "estimated_bits": round(estimated),
        "real_over_estimated_percent": round(100 * (real / estimated - 1), 3),
        "without_lengths_percent": round(100 * ((real - lengths) / estimated - 1), 3),
        "file_bytes": round(whole),
        "psnr_db": {key: round(value, 2) for key, value in psnr.items()},
        "decoder_macs_per_pixel": round(macs_per_pixel(model)),
        "cpu_seconds_per_picture": {key: round(value, 3) for key, value in seconds.items()},
    }


@torch.inference_mode()
def estimated_bits(model: torch.nn.Module, x: wyner.Image, multiple: int, lam: float) -> float:
    """Of the latents, by the network in training. multiple: of what its sides are padded to."""
    padded = Padded(x.pixels, multiple)
    samples = torch.from_numpy(padded.part(slice(0, padded.height), slice(0, padded.width)))
    return float(model.latents(model.g_a(samples[None] - 0.5), torch.tensor([lam]).float(), "round")[1][0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--note", default="")
    parser.add_argument("--only", help="names of the models to measure, with commas (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    arguments.models.mkdir(parents=True, exist_ok=True)
    os.environ["WYNER_MODELS"] = str(arguments.models)
    found = {}
    for runs in arguments.runs:
        found |= unpack(runs, arguments.models, arguments.note)
    for name in found if arguments.only is None else filter(None, arguments.only.split(",")):
        model, config = found[name]
        for group, pattern in SETS.items():
            lefts = sorted((Path(os.environ["WYNER_DATA"]) / "stereo").glob(pattern))
            line = {"model": name, "set": group, **rates(name, model, config, lefts)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
