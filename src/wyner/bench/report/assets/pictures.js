// Embedded pictures as samples, and differences of two of them.

import { byId } from "./dom.js";

const KEEP_BYTES = 256 * 2 ** 20;
const loaded = new Map();

function release() {
  let total = 0;
  for (const samples of loaded.values()) total += samples.data?.byteLength ?? 0;
  for (const [id, samples] of loaded) {
    if (total <= KEEP_BYTES || loaded.size <= 3) return;
    total -= samples.data?.byteLength ?? 0;
    loaded.delete(id);
  }
}

async function decode(id) {
  const image = new Image();
  image.src = byId(`picture-${id}`).textContent.trim();
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

/** The samples (ImageData) of an embedded picture; the latest ones are kept. */
export async function load(id) {
  const samples = loaded.get(id) ?? await decode(id);
  loaded.delete(id);
  loaded.set(id, samples);
  release();
  return samples;
}

/**
 * The absolute difference of two pictures of one size times `factor`, clipped at 255, with the largest and the
 * mean difference over the samples of R, G and B before the factor.
 */
export function difference(a, b, factor) {
  const out = new ImageData(a.width, a.height);
  const count = a.data.length;
  let largest = 0;
  let total = 0;
  for (let i = 0; i < count; i += 4) {
    for (let c = i; c < i + 3; c += 1) {
      const distance = Math.abs(a.data[c] - b.data[c]);
      total += distance;
      if (distance > largest) largest = distance;
      out.data[c] = Math.min(255, distance * factor);
    }
    out.data[i + 3] = 255;
  }
  return { samples: out, largest, mean: total / (count * 0.75) };
}
