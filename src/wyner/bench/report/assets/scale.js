// Axes: from values to pixels, and where the ticks go.

const STEPS = [1, 2, 2.5, 5, 10];
const LOG_DIGITS = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1]];

export function linearTicks(lo, hi, count) {
  const raw = (hi - lo) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = STEPS.find((s) => s * power >= raw * 0.999) * power;
  const ticks = [];
  for (let k = Math.ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9; k += 1) ticks.push(k * step);
  return { ticks, digits: Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (isHalf(step / power) ? 1 : 0)) };
}

function isHalf(step) {
  return Math.abs(step - 2.5) < 1e-9;
}

/** The densest of the usual decade divisions that gives at most `count` ticks. */
export function logTicks(lo, hi, count) {
  for (const digits of LOG_DIGITS) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(lo)); power <= Math.ceil(Math.log10(hi)); power += 1) {
      for (const digit of digits) {
        const value = digit * 10 ** power;
        if (value >= lo * 0.9999 && value <= hi * 1.0001) ticks.push(value);
      }
    }
    if (ticks.length <= count) return ticks;
  }
  return [lo, hi];
}

/** A map from [lo, hi] to the pixels [from, to]. */
export function makeScale(log, lo, hi, from, to) {
  const warp = log ? Math.log : (value) => value;
  const start = warp(lo);
  const factor = (to - from) / (warp(hi) - start);
  return (value) => from + (warp(value) - start) * factor;
}

/** The range of the values with a little air; equal ends are spread so that a scale exists. */
export function range(values, log, air) {
  let lo = Infinity;
  let hi = -Infinity;
  for (const value of values) {
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  if (!(lo <= hi)) return log ? [0.1, 1] : [0, 1];
  if (log) {
    const spread = Math.max((hi / lo) ** air, lo === hi ? 1.5 : 1.02);
    return [lo / spread, hi * spread];
  }
  const spread = (hi - lo) * air || Math.max(Math.abs(hi) * 0.1, 1e-6);
  return [lo - spread, hi + spread];
}
