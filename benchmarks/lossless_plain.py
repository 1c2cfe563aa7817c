"""Files of the plain variant of the lossless codec, on Kodak: integers z, and pixels independent given them.

    python benchmarks/lossless_plain.py RUN [--images 1 2 ...]

RUN is the folder of a `wyner train lossless --config lossless-plain`. Every picture is coded to bytes, z with
the logistic distribution of its channel and each sample with the mixture that the network makes of z. The
bytes are decoded in the same process, from z through the same floating-point kernels, and compared: no other
machine need agree, so this is a measurement and no codec. A row has the bytes of all parts, and bits per
sub-pixel of the whole file. Needs `WYNER_DATA`. Writes results/lossless_plain.jsonl.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rd import RESULTS, kodak
from torch import Tensor
from torch.nn import functional as F

from wyner import coder
from wyner.nn.lossless import MIXTURE
from wyner.nn.lossless_plain import LATENTS, PIXEL_SPREAD, Z_LIMIT, Plain
from wyner.train.lossless import restore
from wyner.train.lossless_data import to_ycocg

HEADER = struct.Struct("<HH3I")
"""Width and height; bytes of z, Y and Co, so that those of Cg are what remains."""
BLOCK = 8
"""Pixels a side of what has one vector of z."""
LOWEST, HIGHEST = (0, -255, -255), 255
BASES = (128.0, 0.0, 0.0)


def parts_of(data: bytes) -> list[bytes]:
    """z, Y, Co and Cg of a file."""
    _, _, *sizes = HEADER.unpack_from(data)
    edges = np.cumsum([HEADER.size, *sizes])
    return [data[a:b] for a, b in zip(edges, [*edges[1:], len(data)], strict=True)]


@dataclass(frozen=True)
class Codec:
    """Files of one network."""

    network: Plain

    @torch.inference_mode()
    def encode(self, pixels: npt.NDArray[np.uint8]) -> bytes:
        """pixels (H, W, 3)."""
        height, width = pixels.shape[:2]
        ycocg = to_ycocg(torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.int32)))
        padded = F.pad(ycocg.float(), (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
        z = self.network.analysed(padded)[0].numpy().astype(np.int32)
        models = self._samples(z, height, width)
        parts = [coder.encode(z, self._prior(z.shape))]
        parts += [coder.encode(plane.numpy(), model) for plane, model in zip(ycocg[0], models, strict=True)]
        return HEADER.pack(width, height, *map(len, parts[:3])) + b"".join(parts)

    @torch.inference_mode()
    def decode(self, data: bytes) -> npt.NDArray[np.uint8]:
        """(H, W, 3)."""
        width, height, *_ = HEADER.unpack_from(data)
        z_part, *planes = parts_of(data)
        z = coder.decode(z_part, self._prior((LATENTS, -(-height // BLOCK), -(-width // BLOCK))))
        models = self._samples(z, height, width)
        y, co, cg = (coder.decode(part, model) for part, model in zip(planes, models, strict=True))
        t = y - (cg >> 1)
        green, blue = cg + t, t - (co >> 1)
        return np.stack([blue + co, green, blue], -1).astype(np.uint8)

    def _prior(self, shape: tuple[int, ...]) -> coder.Parametric:
        place, log_scale = (p.detach().numpy() for p in (self.network.z_place, self.network.z_log_scale))
        location, scale = (np.broadcast_to(a, shape) for a in (place, np.exp2(log_scale)))
        return coder.Parametric.nearest("logistic", location, scale, -Z_LIMIT, Z_LIMIT)

    def _samples(self, z: coder.Integers, height: int, width: int) -> list[coder.LogisticMixture]:
        """The distributions of Y, Co and Cg."""
        # In one memory layout, as kernels depend on it, and rounding on kernels.
        given = torch.from_numpy(np.ascontiguousarray(z[None])).float()
        params = self.network.params(given)[0, ..., :height, :width]
        return [mixture(p, base, low) for p, base, low in zip(params, BASES, LOWEST, strict=True)]


def mixture(params: Tensor, base: float, low: int) -> coder.LogisticMixture:
    """Of parameters (3 * MIXTURE, H, W), which mean what they do for ``wyner.nn.lossless.mixture_bits``."""
    weight, place, scale = params.unflatten(0, (3, MIXTURE)).permute(0, 2, 3, 1).double().numpy()
    log_scale = np.clip(np.log2(PIXEL_SPREAD) + scale, -4, 11)
    location = base + PIXEL_SPREAD * place
    return coder.LogisticMixture.nearest(np.exp2(weight), location, np.exp2(log_scale), low, HIGHEST)


def measure(codec: Codec, image: str) -> dict[str, Any]:
    """A row. Exits where the decoded pixels differ."""
    pixels = kodak(image)
    begun = time.process_time()
    data = codec.encode(pixels)
    coded = time.process_time()
    if not np.array_equal(codec.decode(data), pixels):
        sys.exit(f"{image} was not decoded to its pixels")
    z, y, co, cg = map(len, parts_of(data))
    return {
        "image": image,
        "bytes": len(data),
        "z_bytes": z,
        "y_bytes": y,
        "co_bytes": co,
        "cg_bytes": cg,
        "bpsp": round(8 * len(data) / pixels.size, 4),
        "encode_core_s": round(coded - begun, 2),
        "decode_core_s": round(time.process_time() - coded, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--images", nargs="+", type=int, default=list(range(1, 25)))
    parser.add_argument("--note", default="", help="for every row, such as how the network was trained")
    parser.add_argument("--output", type=Path, default=RESULTS / "lossless_plain.jsonl")
    args = parser.parse_args()
    network = restore(args.run)
    if not isinstance(network, Plain):
        sys.exit(f"{args.run} is not a run of the plain variant")
    torch.set_num_threads(1)
    codec, found = Codec(network), []
    with args.output.open("w", encoding="utf-8") as sink:
        for number in args.images:
            row = measure(codec, f"kodim{number:02}")
            found.append(row)
            sink.write(json.dumps({**row, "note": args.note}) + "\n")
            sink.flush()
            print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    mean = np.mean([row["bpsp"] for row in found])
    z = np.mean([row["z_bytes"] / row["bytes"] for row in found])
    print(f"mean {mean:.4f} bits per sub-pixel; z takes {100 * z:.1f} % of a file")


if __name__ == "__main__":
    main()
