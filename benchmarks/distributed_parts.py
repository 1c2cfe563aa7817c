"""What common and private information alone reconstruct, with models of `--codec ndic`.

    WYNER_MODELS=models python benchmarks/distributed_parts.py ndic ndic-aligned
    WYNER_MODELS=models python benchmarks/distributed_parts.py ndic ndic-aligned --sheet parts.webp

Prints mean PSNR on the test pairs of $WYNER_DATA/stereo/kitti2012_128x256 at three qualities: of both, of
the private latents alone (a grey y) and of common information alone (latents that are all 0). --sheet draws
them, at the middle quality, for the motorcycle pair of scikit-image at 128x256, which is free to show: x,
y, common, private, both, a row for each model.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from wyner import metrics
from wyner.codecs import distributed
from wyner.nn.distributed import GREY
from wyner.nn.rates import LEVELS, level_lambdas
from wyner.train.stereo import find_pairs, load

QUALITIES = (20, 50, 80)
PARTS = ("common", "private", "both")


@torch.inference_mode()
def parts_of(name: str, both: torch.Tensor, quality: int) -> dict[str, np.ndarray]:
    """both: (6, H, W) uint8. The parts, (H, W, 3) uint8."""
    model = distributed.STORE.by_name(name)
    level = round(quality / 100 * (LEVELS - 1))
    lam = torch.tensor([level_lambdas(model.lambda_range)[level]]).float()
    gain, inverse = (torch.from_numpy(table[level])[:, None, None] for table in (model.gain, model.inverse))
    x, y = (both[None].float() / 255).split(3, 1)
    network = model.transforms.network
    latent = torch.round(network.g_a(x - 0.5) * gain) * inverse
    given = {
        "common": (torch.zeros_like(latent), y),
        "private": (latent, torch.full_like(y, GREY)),
        "both": (latent, y),
    }
    found = {part: network.reconstruct(*arguments, lam)[0] for part, arguments in given.items()}
    return {part: (255 * p.clamp(0, 1)).round().byte().permute(1, 2, 0).numpy() for part, p in found.items()}


def means(name: str) -> dict[str, dict[str, float]]:
    """PSNR in dB by quality and part."""
    pairs = find_pairs("flat", Path(os.environ["WYNER_DATA"]) / "stereo/kitti2012_128x256/test")
    pictures = [load(pair) for pair in pairs]
    table = {}
    for quality in QUALITIES:
        found = {part: [] for part in PARTS}
        for both in pictures:
            x = both[:3].permute(1, 2, 0).numpy()
            for part, picture in parts_of(name, both, quality).items():
                found[part].append(metrics.psnr(metrics.mse(x, picture), 255))
        table[f"quality {quality}"] = {part: round(float(np.mean(v)), 2) for part, v in found.items()}
    return table


def sheet(names: list[str]) -> Image.Image:
    from skimage.data import stereo_motorcycle

    left, right, _ = (Image.fromarray(p) if p.ndim == 3 else None for p in stereo_motorcycle())
    size = (256, 128)
    both = np.concatenate([np.asarray(p.crop((0, 0, 740, 370)).resize(size)) for p in (left, right)], 2)
    pair = torch.from_numpy(both.transpose(2, 0, 1).copy())
    rows = []
    for name in names:
        found = parts_of(name, pair, QUALITIES[1])
        rows.append(np.concatenate([both[..., :3], both[..., 3:], *(found[part] for part in PARTS)], 1))
    return Image.fromarray(np.concatenate(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    if arguments.sheet is not None:
        sheet(arguments.models).save(arguments.sheet, quality=80)
        return
    for name in arguments.models:
        print(json.dumps({"model": name, "psnr_db": means(name)}), flush=True)


if __name__ == "__main__":
    main()
