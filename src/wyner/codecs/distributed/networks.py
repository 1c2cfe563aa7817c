"""The real networks of a frozen distributed codec, in PyTorch, part by part so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ...errors import CorruptError, UnsupportedError, UsageError
from ...nn.distributed import GREY, SideModelConfig
from ...nn.side_models import load_side_model
from ..learned.model import entropy_tensors
from ..learned.picture import Padded, tiles
from ..learned.transforms import Transforms

TILE = 512
"""Pixels a side of what is reconstructed at once, without the margin around it."""
MARGIN = 128
"""Pixels around a tile of which latents and y are given with it: more than the layers of "ndic" reach, and
those of "aligned" with the window of its matching. Tiles may still differ a little at their seams: what
"aligned" compares is freed of the mean of a whole tile, "attention" looks 128 pixels far twice, and "dsin"
looks for patches in a whole tile and has layers that reach 256 pixels.
"""

Floats = npt.NDArray[np.float32]


class Networks(Transforms):
    """g_a and what stands for h_a of an encoder, and all of the decoder, on the CPU, in float32."""

    def __init__(self, model: Any) -> None:
        """model: a ``SideModel``. Raises CorruptError where weights are missing or do not fit, and
        UnsupportedError for DSIN with a prior that it cannot have, or without its gains."""
        card = model.card
        config = SideModelConfig(
            model.kind, card.prior, card.widths[0], card.latents, model.lambda_range, anchors=2
        )
        try:
            frozen = entropy_tensors(card)
            weights = {name: tensor for name, tensor in model.tensors.items() if name not in frozen}
            network: Any = load_side_model(config, weights)
        except UsageError as error:
            raise UnsupportedError(f"the model's file: {error}") from None
        except (RuntimeError, KeyError) as error:
            raise CorruptError(f"the model's file is damaged: {error}") from None
        self.network = network
        self.step = card.latent_step
        self.g_a = network.g_a
        self.absolute = card.prior == "hyperprior"
        if card.has_z:
            self.h_a = network.latents.prior.h_a

    @torch.inference_mode()
    def without_y(self, x_latent: Floats, lam: float) -> tuple[slice, slice, Floats]:
        """The middle of the picture, as it is without y: rows, columns, and samples (3, h, w)."""
        middle = []
        for count in x_latent.shape[1:]:
            first = (count - min(count, TILE // self.step)) // 2
            middle.append(slice(first, first + min(count, TILE // self.step)))
        rows, columns = (slice(part.start * self.step, part.stop * self.step) for part in middle)
        latent = torch.from_numpy(np.ascontiguousarray(x_latent[:, middle[0], middle[1]], np.float32))[None]
        grey = torch.full((1, 3, rows.stop - rows.start, columns.stop - columns.start), GREY)
        return rows, columns, self.network.reconstruct(latent, grey, torch.tensor([lam]))[0].numpy()

    @torch.inference_mode()
    def reconstruct(
        self, x_latent: Floats, y: Padded | None, lam: float
    ) -> Iterator[tuple[slice, slice, Floats]]:
        """Parts of the picture: rows, columns, and samples (3, h, w), about in 0..1.

        x_latent: (M, H / step, W / step). y: the decoder's picture (H, W), or None for a grey one.
        """
        height, width = (side * self.step for side in x_latent.shape[1:])
        for rows, columns in tiles(height, width, TILE):
            wide = [_widened(part, size) for part, size in ((rows, height), (columns, width))]
            down, across = (slice(part.start // self.step, part.stop // self.step) for part in wide)
            latent = torch.from_numpy(np.ascontiguousarray(x_latent[:, down, across], np.float32))[None]
            sides = [part.stop - part.start for part in wide]
            given = torch.full((1, 3, *sides), GREY) if y is None else torch.from_numpy(y.part(*wide))[None]
            found = self.network.reconstruct(latent, given, torch.tensor([lam]))[0].numpy()
            inner = [
                slice(part.start - w.start, part.stop - w.start)
                for part, w in zip((rows, columns), wide, strict=True)
            ]
            yield rows, columns, found[:, inner[0], inner[1]]


def _widened(part: slice, size: int) -> slice:
    return slice(max(part.start - MARGIN, 0), min(part.stop + MARGIN, size))
