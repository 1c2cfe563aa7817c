// The rate-distortion section: controls, chart, legend, hover, and picking a point for the comparison.

import { drawChart, nearest } from "./chart.js";
import { MEAN, rate, withUnit } from "./data.js";
import { byId, el, segmented, select, svg } from "./dom.js";
import { drawLegend } from "./legend.js";

const REACH = 36;

export class Plot {
  /** `onPick(point, side)` is called with a point that the reader chose and "left" or "right". */
  constructor(data, onPick) {
    if (!data.metrics.length) {
      byId("plot").append(el("p", { class: "empty" }, "No lossy file was measured, so there is no curve to draw."));
      return;
    }
    this.data = data;
    this.onPick = onPick;
    this.metric = data.metrics[0];
    this.log = true;
    this.image = data.points.some((point) => point.image === MEAN && !data.series[point.series].published) ? MEAN : 0;
    this.hidden = new Set();
    this.spots = [];
    this.active = null;
    this.build();
    new ResizeObserver(() => this.draw()).observe(this.box);
    this.refresh();
  }

  build() {
    const { data } = this;
    byId("plot-controls").append(
      segmented("Metric", "metric", data.metrics.map((m) => [m.id, m.name]), this.metric.id, (id) => {
        this.metric = data.metric(id);
        this.refresh();
      }),
      segmented("Rate axis", "axis", [["log", "Logarithmic"], ["linear", "Linear"]], "log", (kind) => {
        this.log = kind === "log";
        this.refresh();
      }),
      select("Image", "plot-image", this.imageOptions(), String(this.image), (value) => {
        this.image = Number(value);
        this.refresh();
      }),
    );
    this.root = svg("svg", { "aria-hidden": "true" });
    this.cursor = svg("g", { class: "cursor" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.spoken = el("p", { class: "unseen", "aria-live": "polite" });
    this.box = el("div", {
      class: "chart", id: "chart", tabindex: "0", role: "group",
      "aria-label": "Rate-distortion chart. Left and right arrows follow a curve, up and down change the curve, "
        + "Enter picks the point for the right side of the comparison, Shift and Enter for the left side.",
      onpointermove: (event) => this.hover(event),
      onpointerleave: () => this.activate(null),
      onclick: (event) => this.click(event),
      onkeydown: (event) => this.key(event),
      onblur: () => this.activate(null),
    }, this.root, this.tip);
    byId("plot").append(this.box, this.spoken);
  }

  imageOptions() {
    const { data } = this;
    const images = data.images.map((image, index) => [String(index), image.name]);
    const hasMean = data.points.some((point) => point.image === MEAN);
    const count = data.images.length;
    return hasMean ? [[String(MEAN), `Mean of ${count} ${count === 1 ? "image" : "images"}`], ...images] : images;
  }

  present() {
    return this.data.series.map((_, index) => index).filter((index) => (
      !this.data.series[index].lossless && this.points(index).length));
  }

  points(series) {
    return this.data.of(series, this.image).filter((point) => point[this.metric.id] !== null);
  }

  refresh() {
    const actions = {
      toggle: (index) => this.show(this.hidden.has(index) ? "add" : "remove", [index]),
      all: () => this.show("add", this.present()),
      none: () => this.show("remove", this.present()),
      emphasise: (index) => this.emphasise(index),
    };
    drawLegend(byId("legend"), this.data, this.present(), this.hidden, actions);
    this.draw();
  }

  show(how, indices) {
    for (const index of indices) {
      if (how === "add") this.hidden.delete(index);
      else this.hidden.add(index);
    }
    this.refresh();
  }

  draw() {
    const width = Math.max(280, Math.floor(this.box.clientWidth));
    const height = Math.round(Math.min(540, Math.max(330, width * 0.62)));
    const curves = this.present().filter((index) => !this.hidden.has(index)).map((index) => (
      { series: index, published: this.data.series[index].published, points: this.points(index) }));
    this.spots = drawChart(this.root, width, height, { curves, metric: this.metric, log: this.log });
    this.root.append(this.cursor);
    this.activate(null);
  }

  emphasise(series) {
    for (const group of this.root.querySelectorAll(".curve")) {
      group.classList.toggle("faded", series !== null && group.dataset.series !== String(series));
    }
  }

  hover(event) {
    const area = this.root.getBoundingClientRect();
    this.activate(nearest(this.spots, event.clientX - area.left, event.clientY - area.top, REACH));
  }

  activate(spot) {
    if (spot === this.active) return;
    this.active = spot;
    this.emphasise(spot ? spot.series : null);
    this.tip.hidden = !spot;
    this.box.classList.toggle("aimed", Boolean(spot));
    if (!spot) {
      this.cursor.replaceChildren();
      return;
    }
    this.cursor.replaceChildren(svg("circle", { cx: spot.x, cy: spot.y, r: 8 }));
    this.tip.replaceChildren(...this.describe(spot.point));
    this.place(spot);
  }

  describe(point) {
    const { data } = this;
    const series = data.series[point.series];
    const values = data.metrics.filter((m) => m === this.metric || point[m.id] !== null);
    const rows = values.map((m) => el("div", { class: m === this.metric ? "main" : null },
      el("dt", {}, m.name), el("dd", {}, withUnit(m, point[m.id]))));
    const image = point.image === MEAN ? "mean" : data.images[point.image].name;
    const hint = series.published ? `Published: ${series.source}${series.over ? `; mean of ${series.over}` : ""}` : "Click to compare on the right, Shift-click on the left";
    return [
      el("strong", {}, series.name),
      el("span", { class: "sub" }, [point.setting, image].filter(Boolean).join(" · ")),
      el("dl", {}, el("div", { class: "main" }, el("dt", {}, "Rate"), el("dd", {}, `${rate(point.bpp)} bpp`)), ...rows),
      el("span", { class: "hint" }, hint),
    ];
  }

  place(spot) {
    const { tip, box } = this;
    const left = spot.x + 16 + tip.offsetWidth > box.clientWidth ? spot.x - 16 - tip.offsetWidth : spot.x + 16;
    const top = Math.min(spot.y - 20, this.root.clientHeight - tip.offsetHeight - 4);
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  click(event) {
    this.hover(event);
    if (this.active) this.pick(event.shiftKey ? "left" : "right");
  }

  pick(side) {
    const { point } = this.active;
    if (!this.data.series[point.series].published) this.onPick(point, side);
  }

  key(event) {
    if (event.key === "Enter" && this.active) {
      event.preventDefault();
      this.pick(event.shiftKey ? "left" : "right");
      return;
    }
    const next = this.neighbour(event.key);
    if (!next) return;
    event.preventDefault();
    this.activate(next);
    const texts = [...this.tip.querySelectorAll("strong, .sub, dt, dd")].map((node) => node.textContent);
    this.spoken.textContent = texts.join(" ");
  }

  /** Where an arrow key leads: along the curve by rate, or to the nearest rate of the next curve. */
  neighbour(key) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: -1, ArrowDown: 1 }[key];
    if (!step || !this.spots.length) return null;
    if (!this.active) return this.spots[0];
    const shown = [...new Set(this.spots.map((spot) => spot.series))];
    const along = key === "ArrowRight" || key === "ArrowLeft";
    const at = shown.indexOf(this.active.series) + (along ? 0 : step);
    const curve = this.spots.filter((spot) => spot.series === shown[(at + shown.length) % shown.length]);
    if (!along) return curve.reduce((a, b) => (Math.abs(a.x - this.active.x) <= Math.abs(b.x - this.active.x) ? a : b));
    return curve[Math.min(curve.length - 1, Math.max(0, curve.indexOf(this.active) + step))];
  }
}
