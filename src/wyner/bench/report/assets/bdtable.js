// BD-rates of every codec against a chosen one.

import { number, percent } from "./data.js";
import { byId, el, scrollBox, segmented, select } from "./dom.js";

function tint(value) {
  return Math.abs(value) < 0.05 ? "" : value < 0 ? "less" : "more";
}

export class BdTable {
  constructor(data) {
    this.data = data;
    this.metrics = data.metrics.filter((metric) => data.bd[metric.id]);
    if (!this.metrics.length) {
      byId("bd").append(el("p", { class: "empty" }, "No two codecs share enough points for a BD-rate."));
      return;
    }
    this.metric = this.metrics[0].id;
    this.method = "pchip";
    this.reference = this.pickReference();
    this.controls = byId("bd-controls");
    this.refresh();
  }

  references() {
    return Object.keys(this.data.bd[this.metric]);
  }

  pickReference() {
    const wished = String(this.data.reference);
    return this.references().includes(wished) ? wished : this.references()[0];
  }

  refresh() {
    const focused = document.activeElement?.id;
    const { data } = this;
    if (!this.references().includes(this.reference)) this.reference = this.pickReference();
    this.controls.replaceChildren(
      select("Against", "bd-reference", this.references().map((i) => [i, data.series[i].name]), this.reference, (value) => {
        this.reference = value;
        this.refresh();
      }),
      select("At equal", "bd-metric", this.metrics.map((m) => [m.id, m.name]), this.metric, (value) => {
        this.metric = value;
        this.refresh();
      }),
      segmented("Per image", "bd-method", [["pchip", "PCHIP"], ["akima", "Akima"]], this.method, (method) => {
        this.method = method;
        this.draw();
      }),
    );
    if (focused && this.controls.querySelector(`#${focused}`)) byId(focused).focus();
    this.draw();
  }

  draw() {
    const rows = Object.entries(this.data.bd[this.metric][this.reference]).map(([series, row]) => ({ series: Number(series), ...row }));
    const value = (row) => row.mean?.pchip ?? row.curve?.pchip ?? Infinity;
    rows.sort((a, b) => (value(a) === value(b) ? a.series - b.series : value(a) - value(b)));
    const images = this.data.images.filter((_, i) => rows.some((row) => row.images[i]));
    const columns = this.data.images.map((_, i) => i).filter((i) => images.includes(this.data.images[i]));
    const head = ["Codec", "Mean, PCHIP", "Mean, Akima", "Of the mean curve", ...images.map((image) => image.name)];
    const table = el("table", { class: "bd", id: "bd-table" },
      el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...rows.map((row) => this.row(row, columns))));
    byId("bd-table-box").replaceChildren(scrollBox("BD-rate table", table));
  }

  row(row, columns) {
    const published = this.data.series[row.series].published;
    return el("tr", {},
      el("th", { scope: "row" }, this.data.series[row.series].name, published ? el("small", {}, "published") : null),
      this.mean(row, "pchip"),
      this.mean(row, "akima"),
      this.cell(row.curve, "pchip"),
      ...columns.map((i) => this.cell(row.images[i], this.method)));
  }

  mean(row, method) {
    if (!row.mean) return el("td", { class: "none" }, "–");
    const value = row.mean[method];
    const interval = row.mean[`${method}_interval`];
    const total = this.data.images.length;
    return el("td", { class: tint(value) }, percent(value),
      interval ? el("small", {}, `${percent(interval[0])} to ${percent(interval[1])}`) : null,
      row.mean.count < total ? el("small", {}, `${row.mean.count} of ${total} images`) : null);
  }

  /** A value with the interval of quality it holds for, the reason why there is none, or nothing. */
  cell(entry, method) {
    if (!entry) return el("td", { class: "none" }, "–");
    if (entry.refused) return el("td", { class: "none" }, "–", el("small", {}, entry.refused));
    const { digits } = this.data.metric(this.metric);
    const short = Math.min(digits, 3);
    return el("td", { class: tint(entry[method]) }, percent(entry[method]),
      el("small", {}, `${number(entry.low, short)} – ${number(entry.high, short)}`));
  }
}
