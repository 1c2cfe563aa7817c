// The stage of the comparison: two layers under one transform, a split between them, zoom and pan.

import { byId, el } from "./dom.js";

const MAX_SCALE = 32;
const ZOOM_STEP = 1.25;
const PAN_STEP = 40;
const SCROLL_PAUSE_MS = 300;
const NARROWEST = 560;

function clamp(value, lo, hi) {
  return Math.min(hi, Math.max(lo, value));
}

export class Viewer {
  /** Build the stage inside `box`; `frame`, around it, becomes as wide as the pictures allow. */
  constructor(box, frame) {
    this.frame = frame;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.split = 50;
    this.width = 1;
    this.height = 1;
    this.pointers = new Map();
    this.scrolled = 0;
    this.build(box);
    this.listen();
  }

  build(box) {
    this.layers = ["left", "right"].map((side) => el("canvas", { class: "layer", id: `layer-${side}`, width: 1, height: 1 }));
    this.panes = this.layers.map((layer) => el("div", { class: "pane" }, layer));
    this.handle = el("div", {
      class: "handle", id: "split", role: "slider", tabindex: "0", "aria-label": "Split between the left and the right picture",
      "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100",
    }, el("span", { class: "grip", "aria-hidden": "true" }));
    this.stage = el("div", {
      class: "stage", id: "stage", tabindex: "0", role: "group",
      "aria-label": "Compared pictures. Arrow keys pan, plus and minus zoom, 0 fits the picture, 1 shows it at 100 %.",
    }, ...this.panes, this.handle);
    this.level = el("output", { id: "zoom-level" });
    const button = (id, label, text, action) => el(
      "button", { type: "button", id, "aria-label": label, title: label, onclick: action }, text);
    box.append(this.stage, el("div", { class: "zoom" },
      button("zoom-out", "Zoom out (−)", "−", () => this.zoom(1 / ZOOM_STEP)),
      this.level,
      button("zoom-in", "Zoom in (+)", "+", () => this.zoom(ZOOM_STEP)),
      button("zoom-fit", "Fit (0)", "Fit", () => this.fit()),
      button("zoom-full", "Actual size (1)", "100 %", () => this.zoomTo(1)),
      el("span", { class: "keys" }, "Wheel or + − to zoom, drag or arrows to pan, Tab to the slider and ← → to move it")));
  }

  listen() {
    const { stage, handle } = this;
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => this.up(event));
    stage.addEventListener("keydown", (event) => this.key(event));
    handle.addEventListener("keydown", (event) => this.slide(event));
    window.addEventListener("scroll", () => { this.scrolled = performance.now(); }, { passive: true });
    new ResizeObserver(() => this.resize()).observe(stage);
  }

  /** Show two pictures (ImageData of one size). The view stays where it was while the size stays the same. */
  show(left, right) {
    const fresh = left.width !== this.width || left.height !== this.height;
    [left, right].forEach((samples, i) => {
      const layer = this.layers[i];
      if (layer.width !== samples.width || layer.height !== samples.height) {
        layer.width = samples.width;
        layer.height = samples.height;
      }
      layer.getContext("2d").putImageData(samples, 0, 0);
    });
    if (!fresh) return;
    this.width = left.width;
    this.height = left.height;
    this.stage.style.aspectRatio = `${this.width} / ${this.height}`;
    this.frame.style.maxWidth = `${Math.max(this.width, NARROWEST)}px`;
    this.fit();
  }

  size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  /** The scale at which the whole picture is seen, at most 1 so that no pixel is invented. */
  fitScale() {
    const { width, height } = this.size();
    return Math.min(1, width / this.width, height / this.height);
  }

  fit() {
    this.scale = this.fitScale();
    this.x = (this.size().width - this.width * this.scale) / 2;
    this.y = (this.size().height - this.height * this.scale) / 2;
    this.fitted = true;
    this.apply();
  }

  resize() {
    if (this.fitted) this.fit();
    else this.apply();
  }

  zoom(factor, at = null) {
    this.zoomTo(this.scale * factor, at);
  }

  /** Scale to `scale` (CSS pixels per sample) and keep the point `at` of the stage where it is. */
  zoomTo(scale, at = null) {
    const { width, height } = this.size();
    const [px, py] = at ?? [width / 2, height / 2];
    const near = Math.abs(scale - 1) < 0.02 ? 1 : scale;
    const next = clamp(near, this.fitScale(), MAX_SCALE);
    this.x = px - (px - this.x) * (next / this.scale);
    this.y = py - (py - this.y) * (next / this.scale);
    this.scale = next;
    this.fitted = next === this.fitScale();
    this.apply();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.apply();
  }

  /** A picture larger than the stage covers it; a smaller one is in its middle. */
  bounded(offset, length, room) {
    const excess = room - length;
    return excess >= 0 ? excess / 2 : clamp(offset, excess, 0);
  }

  /**
   * The offset moved to whole pixels of the screen, so that nothing is blurred at 100 %. The place of the stage
   * itself does not count: browsers round it before they apply the transform.
   */
  snapped() {
    const ratio = window.devicePixelRatio;
    return [this.x, this.y].map((value) => Math.round(value * ratio) / ratio);
  }

  apply() {
    const { width, height } = this.size();
    this.x = this.bounded(this.x, this.width * this.scale, width);
    this.y = this.bounded(this.y, this.height * this.scale, height);
    const [x, y] = this.snapped();
    const transform = `translate(${x}px, ${y}px) scale(${this.scale})`;
    for (const layer of this.layers) {
      layer.style.transform = transform;
      layer.classList.toggle("crisp", this.scale >= 2);
    }
    this.panes[0].style.clipPath = `inset(0 ${100 - this.split}% 0 0)`;
    this.panes[1].style.clipPath = `inset(0 0 0 ${this.split}%)`;
    this.handle.style.left = `${this.split}%`;
    this.handle.setAttribute("aria-valuenow", String(Math.round(this.split)));
    this.handle.setAttribute("aria-valuetext", `${Math.round(this.split)} % left picture`);
    this.stage.classList.toggle("enlarged", this.scale > this.fitScale());
    this.level.value = `${Math.round(this.scale * 100)} %`;
    byId("zoom-out").disabled = this.scale <= this.fitScale();
    byId("zoom-in").disabled = this.scale >= MAX_SCALE;
  }

  splitTo(percent) {
    this.split = clamp(percent, 0, 100);
    this.apply();
  }

  /** A wheel that is turned to scroll the page past the stage goes on scrolling it. */
  wheel(event) {
    const passing = performance.now() - this.scrolled < SCROLL_PAUSE_MS;
    const outward = event.deltaY > 0 && this.scale <= this.fitScale();
    if (!event.ctrlKey && (passing || outward)) return;
    event.preventDefault();
    const area = this.stage.getBoundingClientRect();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    const factor = Math.exp(-clamp(event.deltaY * lines, -200, 200) * 0.0022);
    this.zoom(factor, [event.clientX - area.left, event.clientY - area.top]);
  }

  down(event) {
    if (event.button !== 0) return;
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.sliding = this.pointers.size === 1 && this.handle.contains(event.target);
    if (this.sliding) this.handle.focus();
  }

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const area = this.stage.getBoundingClientRect();
    if (this.sliding) {
      this.splitTo((100 * (now[0] - area.left)) / area.width);
    } else if (this.pointers.size === 2) {
      const [other] = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
      const ratio = Math.hypot(now[0] - other[0], now[1] - other[1]) / Math.hypot(before[0] - other[0], before[1] - other[1]);
      if (Number.isFinite(ratio)) this.zoom(ratio, [(now[0] + other[0]) / 2 - area.left, (now[1] + other[1]) / 2 - area.top]);
    } else {
      this.pan(now[0] - before[0], now[1] - before[1]);
    }
    this.pointers.set(event.pointerId, now);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.sliding = false;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const zooms = { "+": ZOOM_STEP, "=": ZOOM_STEP, "-": 1 / ZOOM_STEP };
    const pans = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (zooms[event.key]) this.zoom(zooms[event.key]);
    else if (event.key === "0") this.fit();
    else if (event.key === "1") this.zoomTo(1);
    else if (pans[event.key]) this.pan(...pans[event.key].map((sign) => sign * PAN_STEP));
    else return;
    event.preventDefault();
  }

  slide(event) {
    const step = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: this.split - step, ArrowDown: this.split - step, ArrowRight: this.split + step, ArrowUp: this.split + step,
      PageDown: this.split - 10, PageUp: this.split + 10, Home: 0, End: 100,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.splitTo(to);
  }
}
