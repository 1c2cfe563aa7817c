// One rate-distortion chart as SVG: axes, grid, curves and their markers.

import { svg } from "./dom.js";
import { linearTicks, logTicks, makeScale, range } from "./scale.js";

const MARGIN = { left: 54, right: 14, top: 12, bottom: 46 };
const HUES = 10;
const MARKERS = [
  "M-3.6,0a3.6,3.6 0 1,0 7.2,0a3.6,3.6 0 1,0 -7.2,0Z",
  "M-3.2,-3.2H3.2V3.2H-3.2Z",
  "M0,-4.3L4,3.2H-4Z",
  "M0,-4.6L4.6,0L0,4.6L-4.6,0Z",
  "M0,4.3L4,-3.2H-4Z",
];

/** Class and marker by which a series is told apart; the shapes move on by one each time the colours repeat. */
export function look(series) {
  const round = Math.floor(series / HUES);
  return { hue: `hue${series % HUES}`, marker: MARKERS[(series + round) % MARKERS.length] };
}

/** A short piece of the curve with its marker, for the legend. */
export function swatch(series, published) {
  const { hue, marker } = look(series);
  const kind = published ? "published" : "measured";
  return svg(
    "svg", { class: `swatch ${hue} ${kind}`, width: 34, height: 14, viewBox: "-17 -7 34 14", "aria-hidden": "true" },
    svg("path", { class: "line", d: "M-16,0H16" }),
    svg("path", { class: "mark", d: marker }),
  );
}

function axes(width, height, view) {
  const inner = { x0: MARGIN.left, x1: width - MARGIN.right, y0: height - MARGIN.bottom, y1: MARGIN.top };
  const values = view.curves.flatMap((curve) => curve.points);
  let [xLo, xHi] = range(values.map((p) => p.bpp), view.log, view.log ? 0.03 : 0.02);
  if (!view.log) xLo = 0;
  const [yLo, yHi] = range(values.map((p) => p[view.metric.id]), false, 0.05);
  return {
    inner,
    x: makeScale(view.log, xLo, xHi, inner.x0, inner.x1),
    y: makeScale(false, yLo, yHi, inner.y0, inner.y1),
    xTicks: view.log ? logTicks(xLo, xHi, (inner.x1 - inner.x0) / 48) : linearTicks(xLo, xHi, (inner.x1 - inner.x0) / 90).ticks,
    yTicks: linearTicks(yLo, yHi, (inner.y0 - inner.y1) / 52),
  };
}

function frame(width, height, view, axis) {
  const { inner } = axis;
  const group = svg("g", { class: "frame" });
  for (const tick of axis.xTicks) {
    const x = axis.x(tick);
    group.append(
      svg("path", { class: "grid", d: `M${x},${inner.y0}V${inner.y1}` }),
      svg("text", { class: "tick", x, y: inner.y0 + 18, "text-anchor": "middle" }, String(Number(tick.toPrecision(6)))),
    );
  }
  for (const tick of axis.yTicks.ticks) {
    const y = axis.y(tick);
    group.append(
      svg("path", { class: "grid", d: `M${inner.x0},${y}H${inner.x1}` }),
      svg("text", { class: "tick", x: inner.x0 - 8, y: y + 4, "text-anchor": "end" }, tick.toFixed(axis.yTicks.digits).replace("-", "−")),
    );
  }
  const unit = view.metric.unit ? ` (${view.metric.unit})` : "";
  const middle = (inner.y0 + inner.y1) / 2;
  group.append(
    svg("path", { class: "axis", d: `M${inner.x0},${inner.y1}V${inner.y0}H${inner.x1}` }),
    svg("text", { class: "title", x: (inner.x0 + inner.x1) / 2, y: height - 8, "text-anchor": "middle" },
      `Rate (bits per pixel${view.log ? ", logarithmic" : ""})`),
    svg("text", { class: "title", x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` },
      `${view.metric.name}${unit}${view.metric.lower ? ", lower is better" : ""}`),
  );
  return group;
}

function drawCurve(curve, view, axis) {
  const { hue, marker } = look(curve.series);
  const group = svg("g", { class: `curve ${hue} ${curve.published ? "published" : "measured"}`, "data-series": curve.series });
  const spots = curve.points.map((point) => (
    { point, series: curve.series, x: axis.x(point.bpp), y: axis.y(point[view.metric.id]) }));
  const path = spots.map((spot, i) => `${i ? "L" : "M"}${spot.x.toFixed(2)},${spot.y.toFixed(2)}`).join("");
  if (spots.length > 1) group.append(svg("path", { class: "line", d: path }));
  for (const spot of spots) {
    group.append(svg("path", { class: "mark", d: marker, transform: `translate(${spot.x.toFixed(2)},${spot.y.toFixed(2)})` }));
  }
  return { group, spots };
}

/**
 * Draw `view` ({curves: [{series, published, points}], metric, log}) into an SVG element of the given size.
 * Returns the spots [{point, series, x, y}] on which a pointer can land.
 */
export function drawChart(root, width, height, view) {
  const axis = axes(width, height, view);
  const drawn = view.curves.map((curve) => drawCurve(curve, view, axis));
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  root.setAttribute("width", width);
  root.setAttribute("height", height);
  root.replaceChildren(frame(width, height, view, axis), ...drawn.map((curve) => curve.group));
  if (!drawn.some((curve) => curve.spots.length)) {
    root.append(svg("text", { class: "empty", x: width / 2, y: height / 2, "text-anchor": "middle" }, "No curve is shown."));
  }
  return drawn.flatMap((curve) => curve.spots);
}

/** The spot nearest to (x, y) within `reach` pixels, or null. */
export function nearest(spots, x, y, reach) {
  let best = null;
  let least = reach * reach;
  for (const spot of spots) {
    const distance = (spot.x - x) ** 2 + (spot.y - y) ** 2;
    if (distance <= least) {
      least = distance;
      best = spot;
    }
  }
  return best;
}
