// Live line charts on canvas: a window of time that glides, drawn only while it is seen. Knows numbers, not where they come from.
//
// A chart keeps the points of its window in a plain array (about a hundred, so it is drawn whole each time). All charts
// of a `ChartGroup` share the clock, the window and the crosshair, so that one moment can be read across all of them.

const FRAME = 50; // milliseconds between frames: at a few pixels a second nobody sees more
const MARGIN = { top: 8, right: 1, bottom: 20, left: 46 };

/** A round number at or above `value`, so that the scale does not move with every point. */
function roundUp(value, base) {
  if (value <= 0) return 1;
  const power = base ** Math.floor(Math.log(value) / Math.log(base));
  const steps = base === 10 ? [1, 2, 4, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  return power * steps.find((step) => step * power >= value);
}

export class ChartGroup {
  #charts = [];
  #skew = null; // how far this computer's clock is ahead of the publisher's, network included
  #drawn = 0;
  hover = null; // the moment under the pointer, in the publisher's time

  constructor({ seconds }) {
    this.seconds = seconds;
    this.isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    addEventListener("themechange", () => this.#restyle());
    requestAnimationFrame((time) => this.#frame(time));
  }

  add(chart) {
    this.#charts.push(chart);
    chart.group = this;
    const point = (event) => this.setHover(chart.momentAt(event.offsetX));
    chart.canvas.addEventListener("pointermove", point);
    chart.canvas.addEventListener("pointerdown", point);
    for (const type of ["pointerleave", "pointercancel"]) chart.canvas.addEventListener(type, () => this.setHover(null));
    new ResizeObserver(() => {
      chart.resize();
      chart.draw();
    }).observe(chart.canvas);
    return chart;
  }

  /** A live point of time `at` has just arrived. The smallest difference seen is the truest one. */
  arrived(at) {
    const skew = Date.now() - at;
    // It creeps up by 1 ms per point, for clocks that drift apart and wires that become slower.
    this.#skew = this.#skew === null ? skew : Math.min(skew, this.#skew + 1);
  }

  /** The right edge of the window, one interval behind, so that a line is complete when it appears. */
  get now() {
    if (this.isCalm) return Math.max(0, ...this.#charts.map((chart) => chart.latest));
    return Date.now() - (this.#skew ?? 0) - 900;
  }

  get from() {
    return this.now - this.seconds * 1000;
  }

  setHover(moment) {
    this.hover = moment;
    for (const chart of this.#charts) {
      chart.draw();
      chart.showLegend();
    }
  }

  #restyle() {
    for (const chart of this.#charts) {
      chart.restyle();
      chart.draw();
    }
  }

  #frame(time) {
    requestAnimationFrame((next) => this.#frame(next)); // the browser stops calling while the page is hidden
    if (time - this.#drawn < (this.isCalm ? 500 : FRAME)) return;
    this.#drawn = time;
    for (const chart of this.#charts) if (chart.isSeen || chart.hasNews) chart.draw();
  }
}

export class Chart {
  #points = []; // {at, values}
  #styles = [];
  #scale = 0; // the top of the scale as drawn: it grows at once and shrinks gently
  #added = 0;
  isSeen = true;
  hasNews = false; // points that have not been drawn

  /**
   * `series`: {key, label, color (a custom property), isFilled, isFaint, missing (the value where a point has none)}.
   * `max`: the top of the scale, or null for the smallest round number that holds what is shown, but not below
   * `least`. `format` makes numbers into text; `base` is 1024 for bytes.
   */
  constructor(canvas, { series, legend = null, max = null, least = 1, base = 10, format = String }) {
    Object.assign(this, { canvas, series, legend, max, least, base, format });
    this.context = canvas.getContext("2d");
    new IntersectionObserver((entries) => (this.isSeen = entries.at(-1).isIntersecting)).observe(canvas);
    this.restyle();
    this.resize();
    this.#makeLegend();
  }

  get latest() {
    return this.#points.at(-1)?.at ?? 0;
  }

  setSeries(series) {
    this.series = series;
    this.restyle();
    this.#makeLegend();
  }

  /** Add one moment. Points may come twice, or late (a wire that catches up): each keeps its place. */
  add(at, values) {
    let index = this.#points.length;
    while (index > 0 && this.#points[index - 1].at > at) index -= 1;
    if (this.#points[index - 1]?.at === at) return;
    this.#points.splice(index, 0, { at, values });
    const oldest = this.latest - (this.group.seconds + 10) * 1000;
    while (this.#points[0].at < oldest) this.#points.shift();
    this.#added += 1;
    this.hasNews = true;
    this.showLegend();
  }

  momentAt(x) {
    const share = (x - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right);
    return this.group.from + Math.min(1, Math.max(0, share)) * this.group.seconds * 1000;
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** Read the colours: a canvas does not follow custom properties by itself. */
  restyle() {
    const probe = document.createElement("i");
    this.canvas.after(probe);
    const computed = (value) => {
      probe.style.color = value;
      return getComputedStyle(probe).color;
    };
    const color = (name) => computed(`var(${name})`);
    this.#styles = this.series.map((one) => ({ color: color(one.color), clear: computed(`oklch(from var(${one.color}) l c h / 0)`) }));
    Object.assign(this, { lineColor: color("--line"), textColor: color("--text-soft"), strongColor: color("--line-strong"), groundColor: color("--surface") });
    probe.remove();
    this.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
  }

  #makeLegend() {
    if (!this.legend) return;
    this.numbers = this.series.map(() => document.createElement("b"));
    const rows = this.series.map((one, index) => {
      const row = document.createElement("li");
      const mark = document.createElement("i");
      mark.style.setProperty("--series", `var(${one.color})`);
      row.append(mark, one.label, " ", this.numbers[index]);
      row.hidden = Boolean(one.isFaint);
      return row;
    });
    this.legend.replaceChildren(...rows);
    this.showLegend();
  }

  /** The numbers of the moment under the crosshair, else the newest. */
  showLegend() {
    const point = this.group?.hover ? this.#nearest(this.group.hover) : this.#points.at(-1);
    this.numbers?.forEach((number, index) => {
      const value = point && (point.values[this.series[index].key] ?? this.series[index].missing);
      const text = value === undefined ? "–" : this.format(value);
      if (number.textContent !== text) number.textContent = text;
    });
  }

  #nearest(moment) {
    let best = null;
    for (const point of this.#points) if (!best || Math.abs(point.at - moment) < Math.abs(best.at - moment)) best = point;
    return best && Math.abs(best.at - moment) < 2500 ? best : null;
  }

  /** What the top of the scale should be. */
  #top() {
    if (this.max !== null) return this.max;
    const from = this.group.from;
    let highest = this.least;
    for (const { at, values } of this.#points) {
      if (at >= from) for (const { key } of this.series) highest = Math.max(highest, values[key] ?? 0);
    }
    return roundUp(highest, this.base);
  }

  draw() {
    const { context, width, height, group } = this;
    if (!width || !group) return;
    const top = this.#top();
    const isClose = this.group.isCalm || this.#scale - top < top * 0.005;
    this.#scale = isClose ? top : this.#scale + (top - this.#scale) * 0.18;
    const plot = { left: MARGIN.left, top: MARGIN.top, width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    const from = group.from;
    const x = (at) => plot.left + ((at - from) / (group.seconds * 1000)) * plot.width;
    const y = (value) => plot.top + plot.height * (1 - value / this.#scale);
    context.clearRect(0, 0, width, height);
    this.#drawGrid(plot, top, x, y);

    context.save();
    context.beginPath();
    context.rect(plot.left, 0, plot.width, plot.top + plot.height + 1);
    context.clip();
    context.lineJoin = "round";
    this.series.forEach((one, index) => this.#drawLine(one, this.#styles[index], x, y));
    context.restore();
    if (group.hover !== null) this.#drawCrosshair(plot, x, y);
    this.hasNews = false;
    this.canvas.dataset.points = this.#added;
  }

  #drawGrid(plot, top, x, y) {
    const { context } = this;
    context.font = this.font;
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const share of [0, 0.5, 1]) {
      const level = Math.round(y(top * share)) + 0.5;
      context.strokeStyle = share ? this.lineColor : this.strongColor;
      context.beginPath();
      context.moveTo(plot.left, level);
      context.lineTo(plot.left + plot.width, level);
      context.stroke();
      context.fillStyle = this.textColor;
      context.fillText(this.format(top * share, { isAxis: true }), plot.left - 8, level);
    }
    const { seconds } = this.group;
    const step = plot.width > 420 ? 15 : 30;
    const label = this.group.hover === null ? -Infinity : x(this.group.hover); // the crosshair's time stands there
    for (let ago = 0; ago < seconds; ago += step) {
      context.textAlign = ago === 0 ? "right" : "center";
      const at = plot.left + plot.width * (1 - ago / seconds);
      if (Math.abs(at - label) > 72) context.fillText(ago === 0 ? "now" : `−${ago} s`, at, this.height - 7);
    }
  }

  #drawLine(one, { color, clear }, x, y) {
    const { context } = this;
    let start = null; // where the current piece began
    let before = null;
    const fill = () => {
      if (!one.isFilled || start === null) return;
      context.lineTo(x(before.at), y(0));
      context.lineTo(x(start.at), y(0));
      const shade = context.createLinearGradient(0, y(0) - (this.height - MARGIN.top - MARGIN.bottom), 0, y(0));
      shade.addColorStop(0, color);
      shade.addColorStop(1, clear);
      context.globalAlpha = 0.24;
      context.fillStyle = shade;
      context.fill();
    };
    // Twice along the points: once closed for the shade, once open for the line.
    for (const pass of one.isFilled ? ["shade", "line"] : ["line"]) {
      context.beginPath();
      start = before = null;
      for (const point of this.#points) {
        const value = point.values[one.key] ?? one.missing;
        if (value === undefined) continue;
        const isGap = before && point.at - before.at > 3500; // nothing came: a hole is a hole
        if (isGap && pass === "shade") {
          fill();
          context.beginPath();
        }
        if (!before || isGap) {
          start = point;
          context.moveTo(x(point.at), y(value));
        } else context.lineTo(x(point.at), y(value));
        before = point;
      }
      if (pass === "shade") fill();
    }
    context.globalAlpha = one.isFaint ? 0.35 : 1;
    context.lineWidth = one.isFaint ? 1 : 1.8;
    context.strokeStyle = color;
    context.stroke();
    context.globalAlpha = 1;
  }

  #drawCrosshair(plot, x, y) {
    const { context, group } = this;
    const point = this.#nearest(group.hover);
    const at = Math.round(x(point?.at ?? group.hover)) + 0.5;
    if (at < plot.left || at > plot.left + plot.width + 1) return;
    context.strokeStyle = this.textColor;
    context.globalAlpha = 0.55;
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(at, plot.top);
    context.lineTo(at, plot.top + plot.height);
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
    if (!point) return;
    this.series.forEach((one, index) => {
      const value = point.values[one.key] ?? one.missing;
      if (one.isFaint || value === undefined) return;
      context.beginPath();
      context.arc(at, y(value), 3.5, 0, 2 * Math.PI);
      context.fillStyle = this.#styles[index].color;
      context.strokeStyle = this.groundColor;
      context.lineWidth = 2;
      context.fill();
      context.stroke();
    });
    const text = new Date(point.at).toLocaleTimeString();
    const half = context.measureText(text).width / 2 + 6;
    const middle = Math.min(plot.left + plot.width - half, Math.max(plot.left + half, at));
    context.fillStyle = this.groundColor;
    context.fillRect(middle - half, this.height - 16, half * 2, 16);
    context.fillStyle = this.textColor;
    context.textAlign = "center";
    context.fillText(text, middle, this.height - 7);
  }
}
