"""A frozen distributed codec: what its file tells without PyTorch."""

from __future__ import annotations

import functools
import math
from typing import Any

from ...errors import CorruptError, UnavailableError
from ..learned.model import DAMAGE, Model


class SideModel(Model):
    """A distributed codec from its file (docs/spec/distributed.md, section 2).

    kind: of ``wyner.nn.side_models.MODELS``. lambda_range: that of its levels. macs: multiply-accumulates
    that its convolutions take for a pixel when decoding. blind: trained without y, which would only spoil
    what it makes.
    """

    def __init__(self, data: bytes) -> None:
        """Raises CorruptError for what is not the file of such a codec."""
        super().__init__(data)
        try:
            self.kind = str(self.fields["kind"])
            low, high = (float(value) for value in self.fields["lambda_range"])
            self.lambda_range = low, high
            self.macs = float(self.fields["macs"])
            self.blind = dict(self.card.about.get("loss", {})).get("without") == 1
        except DAMAGE:
            raise CorruptError("this is not the file of a distributed codec") from None
        if not (0 < low <= high < math.inf and 0 <= self.macs < math.inf):
            raise CorruptError("the model's file is damaged: a number of its card is out of range")
        if self.card.widths != 3 * (self.card.hyper,):
            raise CorruptError("the model's file is damaged: its layers are of other widths")

    @functools.cached_property
    def transforms(self) -> Any:
        """The networks. Raises UnavailableError without PyTorch."""
        try:
            from .networks import Networks
        except ImportError:
            raise UnavailableError("distributed codecs need PyTorch: pip install 'wyner[torch]'") from None
        return Networks(self)
