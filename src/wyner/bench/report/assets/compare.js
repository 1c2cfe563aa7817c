// The comparison section: which pictures are on the stage, what they are called, and how they differ.

import { MEAN, grouped, number, percent, rate } from "./data.js";
import { byId, el, segmented, select } from "./dom.js";
import { difference, load } from "./pictures.js";
import { Viewer } from "./viewer.js";

const ORIGINAL = -1;
const SIDE = -2;
const FIXED_NAMES = { [ORIGINAL]: "Original", [SIDE]: "Side picture, aligned" };
const FACTORS = ["1", "2", "4", "8", "16", "32"];
const OFF_TARGET = 0.02;

export class Compare {
  constructor(data) {
    this.data = data;
    this.shown = data.points.filter((point) => point.picture >= 0);
    this.images = data.images.map((_, index) => index).filter((index) => (
      data.images[index].original >= 0 && this.shown.some((point) => point.image === index)));
    if (!this.images.length) {
      byId("compare").replaceChildren(el("p", { class: "empty" }, "This report holds no pictures; the notes say why."));
      return;
    }
    this.image = this.images[0];
    this.target = data.targets.length ? data.targets[Math.floor((data.targets.length - 1) / 2)] : this.shown[0].bpp;
    this.mode = "split";
    this.factor = 4;
    this.turn = 0;
    this.news = "";
    this.sides = this.firstSides();
    this.build();
    this.viewer = new Viewer(byId("viewer"), byId("figure"));
    this.refresh();
  }

  /** Series that have a picture of the present image. */
  available() {
    return [...new Set(this.shown.filter((point) => point.image === this.image).map((point) => point.series))].sort((a, b) => a - b);
  }

  /** What is no codec's and can be shown of the present image. */
  fixed() {
    return this.data.images[this.image].side >= 0 ? [ORIGINAL, SIDE] : [ORIGINAL];
  }

  /** The reference of the BD-rates on the left, or the original, against the first other codec. */
  firstSides() {
    const available = this.available();
    const left = available.length > 1 && available.includes(this.data.reference) ? this.data.reference : ORIGINAL;
    return { left: { series: left, pin: null }, right: { series: available.find((index) => index !== left), pin: null } };
  }

  build() {
    this.panel = byId("compare-controls");
    this.captions = { left: el("div", { class: "caption left" }), right: el("div", { class: "caption right" }) };
    byId("captions").append(this.captions.left, this.captions.right);
    this.spoken = el("p", { class: "status", id: "compare-status", "aria-live": "polite" });
    byId("compare").append(this.spoken);
    this.selectors = el("div", { class: "stack" });
    this.panel.append(
      this.selectors,
      segmented("View", "view", [["split", "Pictures"], ["original", "Original"], ["error", "Errors"], ["between", "Left − right"]], "split", (mode) => {
        this.mode = mode;
        this.paint();
      }),
      select("Differences times", "factor", FACTORS.map((f) => [f, f]), String(this.factor), (value) => {
        this.factor = Number(value);
        this.paint();
      }),
    );
  }

  refresh() {
    const focused = document.activeElement?.id;
    const available = this.available();
    const fixed = this.fixed();
    for (const side of Object.values(this.sides)) {
      if (![...fixed, ...available].includes(side.series)) side.series = available[0];
    }
    const names = [...fixed.map((i) => [String(i), FIXED_NAMES[i]]), ...available.map((i) => [String(i), this.data.series[i].name])];
    const side = (label, name) => select(label, `${name}-series`, names, String(this.sides[name].series), (value) => {
      this.sides[name] = { series: Number(value), pin: null };
      this.refresh();
    });
    this.selectors.replaceChildren(
      select("Image", "compare-image", this.images.map((i) => [String(i), this.data.images[i].name]), String(this.image), (value) => {
        this.image = Number(value);
        this.unpin();
      }),
      side("Left", "left"),
      side("Right", "right"),
      el("button", { type: "button", id: "swap", onclick: () => this.swap() }, "Swap left and right"),
      this.targetField(),
    );
    if (focused && this.selectors.querySelector(`#${focused}`)) byId(focused).focus();
    this.paint();
  }

  targetField() {
    const set = (value) => {
      if (!(value > 0)) return;
      this.target = value;
      this.unpin();
    };
    const input = el("input", {
      id: "target", type: "number", min: "0.001", step: "any", inputmode: "decimal", value: Number(this.target.toPrecision(3)),
      onchange: (event) => set(Number(event.target.value)),
    });
    const presets = this.data.targets.map((target, i) => el(
      "button", { type: "button", id: `target-${i}`, class: "quiet", onclick: () => set(target) }, String(Number(target.toPrecision(3)))));
    return el("div", { class: "field" }, el("label", { for: "target" }, "Target rate, bpp"), input, el("div", { class: "presets" }, ...presets));
  }

  unpin() {
    for (const side of Object.values(this.sides)) side.pin = null;
    this.refresh();
  }

  swap() {
    this.sides = { left: this.sides.right, right: this.sides.left };
    this.refresh();
  }

  /** The embedded point of a series on the present image whose rate is nearest to the target, in ratio. */
  nearest(series) {
    const off = (point) => Math.abs(Math.log(point.bpp / this.target));
    const candidates = this.shown.filter((point) => point.series === series && point.image === this.image);
    return candidates.reduce((a, b) => (off(a) <= off(b) ? a : b));
  }

  point(name) {
    const side = this.sides[name];
    return side.series < 0 ? null : side.pin ?? this.nearest(side.series);
  }

  /** Take over a point from the chart: its image, its rate, and its codec on the given side. */
  pick(point, sideName) {
    if (!this.viewer) return;
    const before = this.image;
    if (point.image !== MEAN && this.images.includes(point.image)) this.image = point.image;
    if (this.image !== before) for (const side of Object.values(this.sides)) side.pin = null;
    this.target = point.bpp;
    const name = this.data.series[point.series].name;
    if (!this.available().includes(point.series)) {
      this.news = `No picture of ${name} is embedded for ${this.data.images[this.image].name}.`;
      this.refresh();
      return;
    }
    const same = point.image === MEAN
      ? this.shown.find((p) => p.series === point.series && p.image === this.image && p.setting === point.setting)
      : this.shown.find((p) => p === point);
    this.sides[sideName] = { series: point.series, pin: same ?? null };
    const taken = this.point(sideName);
    this.news = same
      ? `${name} at ${rate(taken.bpp)} bpp is on the ${sideName}.`
      : `That picture is not embedded; ${name} at ${rate(taken.bpp)} bpp, the nearest that is, is on the ${sideName}.`;
    this.refresh();
  }

  /** Tell of what is shown, after any news of what was picked. */
  say(text) {
    this.spoken.textContent = [this.news, text].filter(Boolean).join(" ");
    this.news = "";
  }

  caption(box, name) {
    const point = this.point(name);
    const image = this.data.images[this.image];
    if (!point) {
      box.replaceChildren(el("strong", {}, FIXED_NAMES[this.sides[name].series]), el("span", {}, `${image.width} × ${image.height}`));
      return;
    }
    const off = point.bpp / this.target - 1;
    const psnr = point.psnr_db === null ? "" : ` · ${number(point.psnr_db, 2)} dB`;
    const note = Math.abs(off) > OFF_TARGET && !this.sides[name].pin ? `${percent(off * 100, 0)} from the target` : "";
    box.replaceChildren(
      el("strong", {}, this.data.series[point.series].name),
      el("span", { class: "figures" }, `${rate(point.bpp)} bpp${psnr}`),
      el("span", { class: "sub" }, [point.setting, `${grouped(point.bytes)} bytes`, note].filter(Boolean).join(" · ")),
    );
  }

  async paint() {
    const turn = this.turn += 1;
    const stage = byId("stage");
    stage.setAttribute("aria-busy", "true");
    for (const [name, box] of Object.entries(this.captions)) this.caption(box, name);
    const { original, side } = this.data.images[this.image];
    const ids = ["left", "right"].map((name) => this.point(name)?.picture ?? (this.sides[name].series === SIDE ? side : original));
    byId("factor").disabled = this.mode === "split" || this.mode === "original";
    try {
      const [left, right, source] = await Promise.all([...ids, original].map(load));
      if (turn === this.turn) this.expose(left, right, source);
    } catch (error) {
      this.say(`A picture could not be shown: ${error.message}`);
    }
    if (turn === this.turn) stage.setAttribute("aria-busy", "false");
  }

  expose(left, right, source) {
    byId("stage").classList.toggle("differs", this.mode === "error" || this.mode === "between");
    byId("stage").dataset.view = this.mode;
    if (this.mode === "split") {
      this.viewer.show(left, right);
      this.say(this.region());
    } else if (this.mode === "original") {
      this.viewer.show(source, source);
      this.say(this.region());
    } else if (this.mode === "between") {
      const result = difference(left, right, this.factor);
      this.viewer.show(result.samples, result.samples);
      this.say(`Left against right: ${this.extent(result)}, shown times ${this.factor}.`);
    } else {
      const [a, b] = [left, right].map((picture) => difference(picture, source, this.factor));
      this.viewer.show(a.samples, b.samples);
      this.say(`Against the original: left ${this.extent(a)}; right ${this.extent(b)}; shown times ${this.factor}.`);
    }
  }

  extent(result) {
    return result.largest ? `largest difference ${result.largest}, mean ${number(result.mean, 2)}` : "no difference";
  }

  region() {
    const { crop, width, height } = this.data.images[this.image];
    if (!crop) return "";
    const [x, y, w, h] = crop;
    return `Shown: ${w} × ${h} pixels from (${x}, ${y}) of ${width} × ${height}. Rates and metrics are those of the whole picture.`;
  }
}
