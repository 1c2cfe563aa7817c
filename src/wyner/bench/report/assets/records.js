// Every measured file as a row: filtered, sorted, a page at a time.

import { MEAN, grouped, number } from "./data.js";
import { byId, el, scrollBox, select } from "./dom.js";

const PAGE = 100;
const ALL = "all";

function columns(data) {
  const metrics = data.metrics.filter((m) => !m.of_mean).map((m) => (
    { id: m.id, name: m.unit ? `${m.name}, ${m.unit}` : m.name, text: (p) => (p.identical && m.id === "psnr_db" ? "identical" : number(p[m.id], m.digits)) }));
  const timed = ["encode_s", "decode_s"].filter((id) => data.points.some((p) => p[id] !== null));
  const names = { encode_s: "Encode, s", decode_s: "Decode, s" };
  const seconds = (value) => number(value, value === null || value >= 10 ? 1 : 3);
  return [
    { id: "image", name: "Image", key: (p) => data.images[p.image].name, text: (p) => data.images[p.image].name },
    { id: "series", name: "Codec", key: (p) => data.series[p.series].name, text: (p) => data.series[p.series].name },
    { id: "setting", name: "Setting", text: (p) => p.setting },
    { id: "bytes", name: "Bytes", text: (p) => grouped(p.bytes) },
    { id: "bpp", name: "bpp", text: (p) => number(p.bpp, 4) },
    { id: "bpsp", name: "bpsp", text: (p) => number(p.bpsp, 4) },
    ...metrics,
    ...timed.map((id) => ({ id, name: names[id], text: (p) => seconds(p[id]) })),
    ...(data.points.some((p) => p.macs_per_pixel !== null)
      ? [{ id: "macs_per_pixel", name: "MAC/px", text: (p) => number(p.macs_per_pixel, 0) }] : []),
  ];
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
}

export class Records {
  constructor(data) {
    this.data = data;
    this.rows = data.points.filter((point) => point.image !== MEAN && !data.series[point.series].published);
    this.columns = columns(data);
    this.sort = "image";
    this.down = false;
    this.filter = { image: ALL, series: ALL };
    this.page = 0;
    this.build();
    this.refresh();
  }

  build() {
    const { data } = this;
    const pick = (label, id, key, names) => select(
      label, id, [[ALL, "All"], ...names], ALL, (value) => {
        this.filter[key] = value;
        this.page = 0;
        this.refresh();
      });
    const used = data.series.map((series, i) => [String(i), series.name, series.published]).filter((item) => !item[2]);
    byId("records-controls").append(
      pick("Image", "records-image", "image", data.images.map((image, i) => [String(i), image.name])),
      pick("Codec", "records-series", "series", used.map(([i, name]) => [i, name])));
    this.head = el("tr", {}, ...this.columns.map((column) => el("th", { scope: "col" },
      el("button", { type: "button", "data-column": column.id, onclick: () => this.order(column.id) }, column.name))));
    this.body = el("tbody");
    this.pager = el("div", { class: "pager" });
    const table = el("table", { class: "records", id: "records-table" }, el("thead", {}, this.head), this.body);
    byId("records").append(scrollBox("Table of records", table), this.pager);
  }

  order(id) {
    this.down = this.sort === id ? !this.down : false;
    this.sort = id;
    this.page = 0;
    this.refresh();
  }

  selected() {
    const { image, series } = this.filter;
    const rows = this.rows.filter((p) => (image === ALL || p.image === Number(image)) && (series === ALL || p.series === Number(series)));
    const column = this.columns.find((c) => c.id === this.sort);
    const key = column.key ?? ((p) => p[column.id]);
    const sign = this.down ? -1 : 1;
    const known = (value) => value !== null;
    return rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return (known(x) && known(y) ? sign : 1) * compare(x, y) || a.series - b.series || a.bpp - b.bpp;
    });
  }

  refresh() {
    const rows = this.selected();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const from = this.page * PAGE;
    this.columns.forEach((column, i) => {
      const state = column.id === this.sort ? (this.down ? "descending" : "ascending") : "none";
      this.head.children[i].setAttribute("aria-sort", state);
    });
    this.body.replaceChildren(...rows.slice(from, from + PAGE).map((point) => el("tr", {},
      ...this.columns.map((column, i) => el(i ? "td" : "th", i ? { class: i < 3 ? "text" : null } : { scope: "row" }, column.text(point))))));
    this.turnPage(rows.length, from, pages);
  }

  turnPage(count, from, pages) {
    const go = (step) => () => {
      this.page += step;
      this.refresh();
      const [back, forth] = this.pager.querySelectorAll("button");
      (step > 0 && !forth.disabled ? forth : back.disabled ? forth : back).focus();
    };
    const to = Math.min(count, from + PAGE);
    this.pager.replaceChildren(
      el("button", { type: "button", disabled: this.page === 0, onclick: go(-1) }, "Previous"),
      el("span", { "aria-live": "polite" }, count ? `${from + 1} to ${to} of ${count}` : "no record"),
      el("button", { type: "button", disabled: this.page >= pages - 1, onclick: go(1) }, "Next"));
    this.pager.hidden = pages === 1 && count > 0;
  }
}
