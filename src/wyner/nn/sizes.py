"""The sizes of a learned codec, as training sets them and files tell them. Free of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError

HYPER = ("hyperprior", "mean-scale")
"""Priors that code z as well."""
PRIORS = ("factorised", "gaussian", *HYPER)
MOST_WIDTHS = 7
"""Layers of an analysis but the last, so that the codec's tiles have the latents of whole z."""


class Sizes:
    """What follows from sizes.

    prior: of the latents. widths: channels after each transform layer but the last. latents: channels M of
    y. hyper: channels N of z, where there is one.
    """

    prior: str
    widths: Sequence[int]
    latents: int
    hyper: int

    def check_sizes(self) -> None:
        """Raise UsageError for another prior and for sizes that are none."""
        if self.prior not in PRIORS:
            raise UsageError(f"no prior is called {self.prior!r}; there are: {', '.join(PRIORS)}")
        if not 1 <= len(self.widths) <= MOST_WIDTHS:
            raise UsageError(f"there can be 1 to {MOST_WIDTHS} widths, not {len(self.widths)}")
        if min(*self.widths, self.latents, self.hyper if self.has_z else 1) < 1:
            raise UsageError("a model has at least one channel in each layer")

    @property
    def latent_step(self) -> int:
        """Pixels from one sample of y to the next."""
        return 2 ** (len(self.widths) + 1)

    @property
    def has_z(self) -> bool:
        """Whether the prior codes z as well."""
        return self.prior in HYPER

    @property
    def multiple(self) -> int:
        """What the sides of a picture, in pixels, are multiples of."""
        return self.latent_step * (4 if self.has_z else 1)
