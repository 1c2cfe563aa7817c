// The lossless table and the notes: what the curves are, where published ones come from, what is missing.

import { number, rate } from "./data.js";
import { byId, el, scrollBox } from "./dom.js";

export function drawLossless(data) {
  if (!data.lossless.length) return;
  const heads = ["Codec", "Images", "bpp", "Bits per sub-pixel", "Encode, s", "Decode, s"];
  const rows = data.lossless.map((row) => el("tr", {},
    el("th", { scope: "row" }, row.name),
    ...[row.images, rate(row.bpp), number(row.bpsp, 3), number(row.encode_s, 3), number(row.decode_s, 3)]
      .map((text) => el("td", {}, String(text)))));
  const table = el("table", { class: "lossless" },
    el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows));
  byId("lossless-table").append(scrollBox("Lossless codecs, means over images", table));
  byId("lossless").hidden = false;
}

function definitions(series, describe) {
  return el("dl", { class: "sources" }, ...series.map((one) => el("div", {}, el("dt", {}, one.name), el("dd", {}, describe(one)))));
}

function list(title, notes) {
  return notes.length ? [el("h3", {}, title), el("ul", {}, ...notes.map((note) => el("li", {}, note)))] : [];
}

export function drawNotes(data) {
  const box = byId("notes-list");
  const measured = data.series.filter((series) => !series.published);
  const published = data.series.filter((series) => series.published);
  box.append(el("h3", {}, "Measured here"), definitions(measured, (series) => series.note));
  if (published.length) {
    box.append(
      el("h3", {}, "As published"),
      el("p", {}, "Dashed curves are other people's figures, drawn as published and not measured again."),
      definitions(published, (series) => `${series.source}${series.over ? `; mean of ${series.over}` : ""}`));
  }
  box.append(...list("How to read this page", data.notes), ...list("Left out or failed", data.missing));
}
