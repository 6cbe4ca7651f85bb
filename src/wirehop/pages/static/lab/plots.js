// Two plots of latencies: how many were how quick (CDF), and when. Drawn whole, on canvas.

import { resolved } from "./colors.js";

const MARGIN = { top: 10, right: 26, bottom: 24, left: 58 };

function frame(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, color: (name) => resolved(canvas, name), width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
}

function axes({ context, color, width, height }, xs, ys) {
  context.strokeStyle = color("--line");
  context.fillStyle = color("--text-soft");
  context.lineWidth = 1;
  for (const { at, text } of ys) {
    const y = MARGIN.top + height * (1 - at);
    context.beginPath();
    context.moveTo(MARGIN.left, y);
    context.lineTo(MARGIN.left + width, y);
    context.stroke();
    context.textAlign = "right";
    context.fillText(text, MARGIN.left - 6, y + 4);
  }
  context.textAlign = "center";
  let last = -Infinity;
  for (const { at, text } of xs) {
    const x = MARGIN.left + width * at;
    const room = context.measureText(text).width + 8;
    if (x - last < room) continue; // it would lie over the one before
    context.fillText(text, x, MARGIN.top + height + 16);
    last = x;
  }
}

const log = (value) => Math.log10(Math.max(0.1, value));

function decades(values) {
  const low = Math.floor(log(Math.min(...values)) * 2) / 2;
  const high = Math.max(low + 0.5, Math.ceil(log(Math.max(...values)) * 2) / 2);
  const marks = [];
  for (let power = Math.ceil(low); power <= high; power++) {
    for (const step of [1, 3]) {
      const at = (power + Math.log10(step) - low) / (high - low);
      if (at <= 1) marks.push({ at, text: `${+(step * 10 ** power).toPrecision(1)} ms` });
    }
  }
  return { low, high, marks, place: (value) => (log(value) - low) / (high - low) };
}

/** `series`: {color, samples: [{latency, number}]}. */
export function drawCdf(canvas, series) {
  const plot = frame(canvas);
  const values = series.flatMap(({ samples }) => (samples.length ? extremes(samples) : []));
  if (!values.length) return;
  const scale = decades(values);
  axes(plot, scale.marks, [0, 0.25, 0.5, 0.75, 1].map((share) => ({ at: share, text: `${share * 100} %` })));
  for (const { color, samples } of series) {
    const sorted = Float64Array.from(samples, ({ latency }) => latency).sort();
    line(plot, plot.color(color), sorted.length, (index) => [scale.place(sorted[index]), (index + 1) / sorted.length]);
  }
}

/** The same over the numbers of the messages. */
export function drawTimes(canvas, series, count) {
  const plot = frame(canvas);
  const values = series.flatMap(({ samples }) => (samples.length ? extremes(samples) : []));
  if (!values.length) return;
  const scale = decades(values);
  axes(plot, [0, 0.5, 1].map((share) => ({ at: share, text: `no. ${Math.round(share * count)}` })), scale.marks);
  for (const { color, samples } of series) {
    plot.context.fillStyle = plot.color(color);
    plot.context.globalAlpha = 0.6;
    for (const { number, latency } of samples) {
      plot.context.fillRect(MARGIN.left + (plot.width * number) / count - 1, MARGIN.top + plot.height * (1 - scale.place(latency)) - 1, 2, 2);
    }
  }
  plot.context.globalAlpha = 1;
}

function extremes(samples) {
  let low = Infinity;
  let high = -Infinity;
  for (const { latency } of samples) {
    if (latency < low) low = latency;
    if (latency > high) high = latency;
  }
  return [low, high];
}

function line({ context, width, height }, color, count, at) {
  context.strokeStyle = color;
  context.lineWidth = 1.8;
  context.beginPath();
  for (let index = 0; index < count; index++) {
    const [x, y] = at(index);
    const place = [MARGIN.left + width * x, MARGIN.top + height * (1 - y)];
    if (index) context.lineTo(...place);
    else context.moveTo(...place);
  }
  context.stroke();
}
