// The report's data, and how its numbers are written.

export const MEAN = -1;

function expand(raw) {
  const names = raw.columns;
  return raw.points.map((row, index) => {
    const point = { index };
    for (let i = 0; i < names.length; i += 1) point[names[i]] = row[i];
    point.setting = raw.settings[point.setting];
    return point;
  });
}

/** Read the data block. Points get their columns as properties; `of(series, image)` gives a curve by rate. */
export function readData(text) {
  const data = JSON.parse(text);
  data.points = expand(data);
  const curves = new Map();
  for (const point of data.points) {
    if (!point.drawn) continue;
    const key = `${point.series}/${point.image}`;
    if (!curves.has(key)) curves.set(key, []);
    curves.get(key).push(point);
  }
  for (const curve of curves.values()) curve.sort((a, b) => a.bpp - b.bpp);
  data.of = (series, image) => curves.get(`${series}/${image}`) ?? [];
  data.metric = (id) => data.metrics.find((metric) => metric.id === id);
  return data;
}

export function number(value, digits) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(digits).replace("-", "−");
}

/** Rates span three decades: three significant digits, but never fewer than two decimals. */
export function rate(bpp) {
  if (bpp === null || bpp === undefined) return "–";
  return bpp.toFixed(bpp < 0.1 ? 4 : bpp < 10 ? 3 : 2);
}

export function percent(value, digits = 1) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return `${text} %`;
  return `${value < 0 ? "−" : "+"}${text} %`;
}

export function grouped(value) {
  return value === null || value === undefined ? "–" : String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

export function withUnit(metric, value) {
  return `${number(value, metric.digits)}${metric.unit && value !== null ? ` ${metric.unit}` : ""}`;
}
