"""Static rate-distortion plots of a run, as SVG and PNG, drawn by Matplotlib (imported on first use)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import UnavailableError, UsageError
from ..io import write_atomic
from .codec import slug
from .published import PublishedCurve
from .report import load
from .report.model import MEAN, Metric, Model

FORMATS = ("svg", "png")
_HUES = (
    "#1d6fc9", "#d2691a", "#22884c", "#c5364a", "#7a55c7", "#0d8794", "#8b6334", "#b9479a", "#717a10",
    "#556270",
)  # fmt: skip
_MARKERS = "os^Dv"
_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.parse_math": False,  # names of codecs may hold dollar signs
    "svg.fonttype": "none",
    "svg.hashsalt": "wyner",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#aab4bf",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dbe1e7",
    "grid.linewidth": 0.6,
    "xtick.color": "#586472",
    "ytick.color": "#586472",
}


def write_plots(
    run_folder: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    published: Sequence[PublishedCurve] | None = None,
    metrics: Sequence[str] | None = None,
    images: Sequence[str | None] = (None,),
    formats: Sequence[str] = FORMATS,
    log: bool = True,
    overwrite: bool = False,
) -> list[Path]:
    """Write one plot for each metric and image, in each format, and return their paths.

    metrics: keys of records, by default all that the run has. images: names, None for the mean of all.
    formats: "svg" (text stays text) and "png" (150 dpi). log: logarithmic rate axis. published: replaces the
    curves of the run's description. Equal records give equal files, byte for byte, with one Matplotlib.

    Raises UsageError for a run without records, an unknown metric, image or format; CorruptError for a
    damaged record or description; UnavailableError without Matplotlib; FileExistsError unless ``overwrite``;
    OSError.
    """
    model = load(run_folder, published)
    chosen = [_metric(model, name) for name in metrics] if metrics is not None else model.metrics()
    numbers = [_image(model, name) for name in images]
    for name in formats:
        if name not in FORMATS:
            raise UsageError(f"plots are written as {' and '.join(FORMATS)}, not as {name!r}")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for metric in chosen:
        for image in numbers:
            what = "mean" if image == MEAN else model.images[image].name
            for name in formats:
                path = target / f"{slug(f'{metric.id}-{what}')}.{name}"
                write_atomic(path, render(model, metric, image, name, log), overwrite=overwrite)
                paths.append(path)
    return paths


def render(model: Model, metric: Metric, image: int, form: str, log: bool = True) -> bytes:
    """One plot of a model as the bytes of an SVG or PNG file; ``image`` is its number or MEAN."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UnavailableError("plots need Matplotlib: pip install 'wyner[bench]'") from None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.add_subplot()
        curves = _draw(axes, model, metric, image)
        axes.set_xlabel("Rate (bits per pixel)")
        axes.set_ylabel(_axis_name(metric))
        count = len(model.images)
        title = f"Mean of {count} image{'s' * (count > 1)}" if image == MEAN else model.images[image].name
        axes.set_title(title, fontsize=10, loc="left")
        if log:
            _log_axis(axes)
        else:
            axes.set_xlim(left=0)
        if curves:
            axes.legend(
                *zip(*curves, strict=True), frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5)
            )
        sink = BytesIO()
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(sink, format=form, dpi=150, metadata=metadata)
    return sink.getvalue()


def _draw(axes: Any, model: Model, metric: Metric, image: int) -> list[tuple[Any, str]]:
    """Draw every lossy curve; return handles and names for the legend."""
    drawn = []
    for index, series in enumerate(model.series):
        points = [] if series.lossless else model.curve(index, image, metric.id)
        if not points:
            continue
        hue = _HUES[index % len(_HUES)]
        marker = _MARKERS[(index + index // len(_HUES)) % len(_MARKERS)]
        style = {"linestyle": "--", "markerfacecolor": "white"} if series.published else {"linestyle": "-"}
        (line,) = axes.plot(*zip(*points, strict=True), color=hue, marker=marker, ms=4, lw=1.4, **style)
        name = f"{series.name} (published)" if series.published else series.name
        drawn.append((line, name.replace("_", "\u200b_", 1) if name.startswith("_") else name))
    return drawn


def _axis_name(metric: Metric) -> str:
    unit = f" ({metric.unit})" if metric.unit else ""
    return f"{metric.name}{unit}{', lower is better' if metric.lower else ''}"


def _log_axis(axes: Any) -> None:
    """Logarithmic, with ticks at 1, 2 and 5 of each decade written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _metric(model: Model, name: str) -> Metric:
    known = {metric.id: metric for metric in model.metrics()}
    if name not in known:
        raise UsageError(f"the run has no metric {name!r}; there are: {', '.join(known)}")
    return known[name]


def _image(model: Model, name: str | None) -> int:
    names = [picture.name for picture in model.images]
    if name is not None and name not in names:
        raise UsageError(f"no image of the run is called {name!r}; there are: {', '.join(names)}")
    return MEAN if name is None else names.index(name)
