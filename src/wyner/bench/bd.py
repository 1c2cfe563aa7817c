"""BD-rate: how many more bits one codec needs than another for the same quality, on average.

Bjontegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33, 2001, with interpolants
that do not overshoot as its cubic does: PCHIP (Fritsch and Butland 1984) and Akima (1970), which Herglotz et
al., "Beyond Bjontegaard: limits of video compression performance comparisons", ICIP 2022, recommend. The
interpolant is of log rate over quality; nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import NoOverlapError, UnavailableError, UsageError
from .intervals import LEVEL, MIN_IMAGES, ROUNDS, Interval, bootstrap_mean, resampled_weights, spread

Floats = npt.NDArray[np.float64]
Points = Mapping[str, Mapping[Hashable, tuple[float, float]]]
"""(rate, quality) of a codec by image and setting."""

METHODS = ("pchip", "akima")
MIN_OVERLAP = {"psnr_db": 1.0, "ms_ssim_db": 1.0, "ms_ssim": 0.005, "lpips": 0.02, "ssimulacra2": 5.0}
"""The least shared interval of quality for which a BD-rate is given, in units of each metric."""
LOWER_IS_BETTER = frozenset({"lpips", "mse"})
MAX_FAILED = 0.05


@dataclass(frozen=True)
class Curve:
    """Points of one codec on one image that no other point beats, from low to high rate.

    ``rate`` (any unit) and ``quality`` are float64 of one length, both strictly increasing; the quality is
    negated where a lower one is better. ``dominated`` points were left out because another needs no more bits
    and has no less quality, ``infinite`` ones (lossless files) because no interpolant passes through them.
    """

    rate: Floats
    quality: Floats
    dominated: int = 0
    infinite: int = 0
    lower_is_better: bool = False
    _fits: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def of(points: Iterable[tuple[float, float]], *, lower_is_better: bool = False) -> Curve:
        """From (rate, quality) points in any order; equal points count once.

        Raises UsageError for rates that are not positive and finite, and for a quality that is NaN.
        """
        sign = -1 if lower_is_better else 1
        given = {(float(rate), sign * float(quality)) for rate, quality in points}
        for rate, quality in given:
            if not 0 < rate < math.inf or math.isnan(quality):
                raise UsageError(f"no point of a curve: rate {rate}, quality {sign * quality}")
        kept: list[tuple[float, float]] = []
        for point in sorted(given, key=lambda point: (point[0], -point[1])):
            if not kept or point[1] > kept[-1][1]:
                kept.append(point)
        finite = [point for point in kept if math.isfinite(point[1])]
        array = np.array(finite, dtype=np.float64).reshape(-1, 2)
        return Curve(
            rate=array[:, 0],
            quality=array[:, 1],
            dominated=len(given) - len(kept),
            infinite=len(kept) - len(finite),
            lower_is_better=lower_is_better,
        )


@dataclass(frozen=True)
class BdRate:
    """``percent`` more bits than the reference (negative: fewer) over qualities ``low`` to ``high``.

    The interval is in units of the metric; ``dominated`` and ``infinite`` count what both curves left out.
    """

    percent: float
    low: float
    high: float
    dominated: int = 0
    infinite: int = 0


@dataclass(frozen=True)
class ByImage:
    """BD-rates of the images that have one, why the others have none, and the mean of the percentages."""

    images: dict[str, BdRate]
    without: dict[str, str]
    mean: Interval | None


@dataclass(frozen=True)
class OfMeans:
    """BD-rate of the mean curves over ``images``, with an interval from resampling the images.

    ``low`` and ``high`` are percentages, None for fewer than five images or when more than one resample in
    twenty has no BD-rate; ``failed`` counts those. ``left_out`` counts settings, of both codecs, that not
    every image has.
    """

    bd: BdRate
    low: float | None
    high: float | None
    level: float
    images: tuple[str, ...]
    left_out: int
    failed: int


def bd_rate(reference: Curve, test: Curve, *, method: str = "pchip", min_overlap: float = 1.0) -> BdRate:
    """Mean relative difference of rate at equal quality, over all qualities that both curves reach.

    ``method`` is "pchip" or "akima"; ``min_overlap`` is in units of the metric. Raises NoOverlapError when
    the curves share less than that or one has fewer than two points, UsageError for another method or for
    curves of different metrics, and UnavailableError without SciPy.
    """
    if reference.lower_is_better != test.lower_is_better:
        raise UsageError("cannot compare a curve where higher is better with one where lower is")
    if min(len(reference.rate), len(test.rate)) < 2:
        raise NoOverlapError("a curve has fewer than two points")
    low = max(reference.quality[0], test.quality[0])
    high = min(reference.quality[-1], test.quality[-1])
    if high <= low or high - low < min_overlap:
        raise NoOverlapError(f"the curves overlap by {max(0.0, high - low):.4g}, less than {min_overlap:g}")
    areas = [_log_rate(curve, method).integrate(low, high) for curve in (reference, test)]
    ends = sorted((-low, -high)) if test.lower_is_better else (low, high)
    return BdRate(
        percent=100 * math.expm1(float(areas[1] - areas[0]) / (high - low)),
        low=float(ends[0]),
        high=float(ends[1]),
        dominated=reference.dominated + test.dominated,
        infinite=reference.infinite + test.infinite,
    )


def rate_at(curve: Curve, quality: float, *, method: str = "pchip") -> float | None:
    """Rate at which ``curve`` reaches ``quality``, None where it does not; nothing is extrapolated.

    quality: in units of the metric, not negated. Raises UsageError and UnavailableError as ``bd_rate`` does.
    """
    at = -quality if curve.lower_is_better else quality
    if len(curve.rate) < 2 or not curve.quality[0] <= at <= curve.quality[-1]:
        return None
    return math.exp(float(_log_rate(curve, method)(at)))


def _log_rate(curve: Curve, method: str) -> Any:
    """SciPy's piecewise polynomial of log rate over quality, kept with the curve."""
    if method in curve._fits:
        return curve._fits[method]
    if method not in METHODS:
        raise UsageError(f"BD-rate method {method!r}; there are {' and '.join(METHODS)}")
    try:
        from scipy.interpolate import Akima1DInterpolator, PchipInterpolator
    except ImportError:
        raise UnavailableError("BD-rates need SciPy: pip install 'wyner[bench]'") from None
    make = PchipInterpolator if method == "pchip" else Akima1DInterpolator
    curve._fits[method] = make(curve.quality, np.log(curve.rate))
    return curve._fits[method]


def by_image(
    reference: Mapping[str, Curve],
    test: Mapping[str, Curve],
    images: Iterable[str] | None = None,
    *,
    method: str = "pchip",
    min_overlap: float = 1.0,
    seed: int = 0,
) -> ByImage:
    """BD-rate of each image, by image name, and their mean with its bootstrap interval over images.

    ``images`` defaults to those of either codec. Raises UsageError and UnavailableError as ``bd_rate`` does.
    """
    found: dict[str, BdRate] = {}
    without: dict[str, str] = {}
    for image in sorted(reference.keys() | test.keys()) if images is None else images:
        if image not in reference or image not in test:
            without[image] = "missing"
            continue
        try:
            found[image] = bd_rate(reference[image], test[image], method=method, min_overlap=min_overlap)
        except NoOverlapError as error:
            without[image] = str(error)
    mean = bootstrap_mean([bd.percent for bd in found.values()], seed=seed) if found else None
    return ByImage(found, without, mean)


def of_means(
    reference: Points,
    test: Points,
    *,
    method: str = "pchip",
    min_overlap: float = 1.0,
    lower_is_better: bool = False,
    of_mean: Callable[[float], float] | None = None,
    level: float = LEVEL,
    rounds: int = ROUNDS // 10,
    seed: int = 0,
) -> OfMeans:
    """BD-rate of the curves through the mean rate and mean quality of each setting, over the common images.

    ``of_mean`` turns the mean quality into that of the curve: with squared errors as qualities and
    ``lambda mse: psnr(mse, 255)``, it is PSNR of the mean squared error. ``lower_is_better`` is about its
    result. Raises NoOverlapError as ``bd_rate`` does, also when the codecs share no image.
    """
    images = tuple(sorted(reference.keys() & test.keys()))
    if not images:
        raise NoOverlapError("no image has points of both codecs")
    tables = [_Table.of(points, images) for points in (reference, test)]

    def bd(weights: Floats) -> BdRate:
        curves = [
            Curve.of(table.points(weights, of_mean), lower_is_better=lower_is_better) for table in tables
        ]
        return bd_rate(*curves, method=method, min_overlap=min_overlap)

    count = len(images)
    whole = bd(np.full(count, 1 / count))
    percents = []
    for weights in resampled_weights(count, rounds, seed) if count >= MIN_IMAGES else ():
        try:
            percents.append(bd(weights).percent)
        except NoOverlapError:
            continue
    failed = rounds - len(percents) if count >= MIN_IMAGES else 0
    trusted = count >= MIN_IMAGES and failed <= MAX_FAILED * rounds
    low, high = spread(np.array(percents), count, level) if trusted else (None, None)
    left_out = sum(table.left_out for table in tables)
    return OfMeans(whole, low, high, level, images, left_out, failed)


@dataclass(frozen=True)
class _Table:
    """Rates and qualities, each (images, settings), of the settings that every image has."""

    rates: Floats
    qualities: Floats
    left_out: int

    @staticmethod
    def of(points: Points, images: tuple[str, ...]) -> _Table:
        every = set().union(*(points[image].keys() for image in images))
        common = [setting for setting in points[images[0]] if all(setting in points[i] for i in images)]
        pairs = np.array([[points[i][s] for s in common] for i in images], dtype=np.float64)
        pairs = pairs.reshape(len(images), len(common), 2)
        return _Table(pairs[..., 0], pairs[..., 1], len(every) - len(common))

    def points(self, weights: Floats, of_mean: Callable[[float], float] | None) -> list[tuple[float, float]]:
        """(rate, quality) of each setting, as means with weights (images,) that sum to 1."""
        rates, qualities = weights @ self.rates, weights @ self.qualities
        return [
            (float(r), of_mean(q) if of_mean else q) for r, q in zip(rates, qualities.tolist(), strict=True)
        ]
