"""Updates of the network of the lossless codec (docs/spec/lossless.md, section 10)."""

from __future__ import annotations

import numpy as np

from wyner.errors import CorruptError, UsageError
from wyner.reference.coder import parametric
from wyner.reference.lossless_network import Ints, Network, rounded
from wyner.reference.lossless_tuning import even
from wyner.reference.range_decoder import RangeDecoder

GAIN_LIMIT, BIAS_LIMIT = 127, 4096
WEIGHT_LIMIT = 32767


def updated(network: Network, update: bytes) -> Network:
    """The network that an update makes of one, of the same name. Raises CorruptError."""
    decoder = RangeDecoder(update)
    weights, biases = [], []
    for layer in network.layers:
        outputs, inputs, _ = layer.weights.shape
        g, h = _row(decoder, outputs, GAIN_LIMIT), _row(decoder, inputs, GAIN_LIMIT)
        weights.append((layer.weights + rounded(layer.weights * (g[:, None] + h)[..., None], 5)).ravel())
        c = [_row(decoder, outputs, BIAS_LIMIT) for _ in layer.biases]
        biases.append((layer.biases + 2048 * np.array(c, np.int64).reshape(layer.biases.shape)).ravel())
    flat = np.concatenate(weights)
    if np.abs(flat).max() > WEIGHT_LIMIT:
        raise CorruptError("an updated weight is too large")
    try:
        return Network(network.name, network.sizes, flat, np.concatenate(biases))
    except UsageError as error:
        raise CorruptError(str(error)) from None


def _row(decoder: RangeDecoder, count: int, limit: int) -> Ints:
    if not even(decoder, 0, 1):
        return np.zeros(count, np.int64)
    edges = parametric("laplace", 0, even(decoder, 0, 255), -limit, limit)
    return np.array([decoder.interval(*edges, 24) - limit for _ in range(count)], np.int64)
