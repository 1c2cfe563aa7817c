"""Cross attention along rows: rectified pictures show a thing in the same row, displaced across."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK = 32
"""Columns of queries that share one stretch of keys."""


def row_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """What each place finds in the same row and those near it, within a window of columns.

    q, k: (B, C, H, W), compared by their inner product. v: (B, D, H, W), what is found. bias: (2 r + 1,
    2 R + 1), added for each displacement, up to r rows and R columns either way. Where nothing matches, a
    logit of 0 that stands for "nothing" draws the result (B, D, H, W) towards 0. Places outside of the
    picture are not found. Time and memory are linear in H W.
    """
    reach_rows, reach = bias.shape[0] // 2, bias.shape[1] // 2
    batch, _, height, width = q.shape
    blocks = -(-width // BLOCK)
    queries = F.pad(q, (0, blocks * BLOCK - width)).unflatten(3, (blocks, BLOCK))
    queries = queries.permute(0, 2, 3, 4, 1)  # (B, H, blocks, BLOCK, C)
    inside = torch.ones_like(k[:1, :1])
    keys, values, valid = (
        _stretches(t, blocks, reach_rows, reach) for t in (k, v, inside)
    )  # (B, H, blocks, (2 r + 1) (BLOCK + 2 R), channels)
    logits = queries @ keys.transpose(-1, -2) + _by_displacement(bias)
    logits = logits.masked_fill(valid.squeeze(-1)[..., None, :] == 0, -torch.inf)
    logits = F.pad(logits, (1, 0))  # "nothing"
    found = torch.softmax(logits, -1)[..., 1:] @ values
    return found.permute(0, 4, 1, 2, 3).reshape(batch, v.shape[1], height, blocks * BLOCK)[..., :width]


def _stretches(t: Tensor, blocks: int, reach_rows: int, reach: int) -> Tensor:
    """(B, C, H, W) to what each block of columns can reach: (B, H, blocks, rows x stretch, C)."""
    height, width = t.shape[2:]
    padded = F.pad(t, (reach, blocks * BLOCK - width + reach, reach_rows, reach_rows))
    across = padded.unfold(3, BLOCK + 2 * reach, BLOCK)  # (B, C, H + 2 r, blocks, stretch)
    rows = [across[:, :, row : row + height] for row in range(2 * reach_rows + 1)]
    return torch.cat(rows, -1).permute(0, 2, 3, 4, 1)


def _by_displacement(bias: Tensor) -> Tensor:
    """(2 r + 1, 2 R + 1) to (BLOCK, (2 r + 1) (BLOCK + 2 R)), minus infinity beyond the window."""
    # A row of the padded bias, and one column less for each next query: key j and query i get bias[j - i].
    rows, columns = bias.shape
    padded = F.pad(bias, (0, BLOCK), value=-torch.inf)
    skewed = padded.repeat(1, BLOCK)[:, : BLOCK * (columns + BLOCK - 1)]
    return skewed.view(rows, BLOCK, columns + BLOCK - 1).permute(1, 0, 2).flatten(1)


class RowAttention(nn.Module):
    """Adds to features what it finds by ``row_attention`` in those of another picture."""

    def __init__(self, channels: int, window: int, rows: int = 1, heads: int = 2, size: int = 32) -> None:
        """window, rows: reach in columns and rows, either way. size: channels of queries of all heads."""
        super().__init__()
        self.heads = heads
        self.query, self.key = (nn.Conv2d(channels, size, 1) for _ in range(2))
        self.value, self.out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.bias = nn.Parameter(torch.zeros(heads, 2 * rows + 1, 2 * window + 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """x and y (B, channels, H, W) to x with what was found."""
        parts = [part.chunk(self.heads, 1) for part in (self.query(x), self.key(y), self.value(y))]
        found = [row_attention(q, k, v, bias) for q, k, v, bias in zip(*parts, self.bias, strict=True)]
        return x + self.out(torch.cat(found, 1))
