// The legend: one button for each curve, pressed while the curve is shown.

import { swatch } from "./chart.js";
import { el } from "./dom.js";

function entry(series, index, hidden, actions) {
  return el(
    "li", {},
    el("button", {
      type: "button",
      "aria-pressed": String(!hidden.has(index)),
      "data-series": index,
      title: series.published ? `Published: ${series.source}` : series.note,
      onclick: () => actions.toggle(index),
      onpointerenter: () => actions.emphasise(index),
      onpointerleave: () => actions.emphasise(null),
      onfocus: () => actions.emphasise(index),
      onblur: () => actions.emphasise(null),
    }, swatch(index, series.published), el("span", { class: "name" }, series.name)),
  );
}

/** Fill `box` with the buttons of the series that have points. `actions`: toggle, emphasise, all, none. */
export function drawLegend(box, data, present, hidden, actions) {
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.series : undefined;
  const list = (published) => present
    .filter((index) => data.series[index].published === published)
    .map((index) => entry(data.series[index], index, hidden, actions));
  const measured = list(false);
  const published = list(true);
  box.replaceChildren(
    el("div", { class: "legend-head" },
      el("h3", {}, "Curves"),
      el("button", { type: "button", class: "quiet", onclick: actions.all }, "all"),
      el("button", { type: "button", class: "quiet", onclick: actions.none }, "none")),
    el("ul", {}, ...measured),
  );
  if (published.length) {
    box.append(el("h4", {}, "As published"), el("ul", { class: "published" }, ...published));
  }
  if (focused !== undefined) box.querySelector(`[data-series="${focused}"]`)?.focus();
}
