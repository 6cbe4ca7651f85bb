// What the page's two charts share: a canvas as large as its place, in the colours of the theme, drawn when there is
// something new and not more often than `every` milliseconds.

const COLORS = { line: "--line", soft: "--text-soft", text: "--text", ground: "--surface", bid: "--good", ask: "--bad", accent: "--accent" };

export class Canvas {
  #isDue = false;
  #drawnAt = 0;

  constructor(canvas, { every, draw }) {
    Object.assign(this, { canvas, every, draw, context: canvas.getContext("2d") });
    new ResizeObserver(() => this.#resize()).observe(canvas);
    addEventListener("themechange", () => this.#restyle());
    this.#restyle();
    this.#resize();
  }

  soon() {
    if (this.#isDue) return;
    this.#isDue = true;
    setTimeout(() => requestAnimationFrame(() => this.now()), Math.max(0, this.#drawnAt + this.every - performance.now()));
  }

  now() {
    this.#isDue = false;
    this.#drawnAt = performance.now();
    this.context.clearRect(0, 0, this.width, this.height);
    this.context.font = this.font;
    this.draw(this);
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.now();
  }

  /** Read the colours: a canvas does not follow custom properties by itself. */
  #restyle() {
    const probe = document.createElement("i");
    this.canvas.after(probe);
    const computed = (value) => {
      probe.style.color = value;
      return getComputedStyle(probe).color;
    };
    this.colors = Object.fromEntries(Object.entries(COLORS).map(([name, property]) => [name, computed(`var(${property})`)]));
    this.pale = Object.fromEntries(["bid", "ask"].map((side) => [side, computed(`oklch(from var(${COLORS[side]}) l c h / 16%)`)]));
    probe.remove();
    this.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
    this.soon();
  }
}

export const asPrice = (cents) => (cents === undefined || cents === null ? "–" : (cents / 100).toFixed(2));

/** Round steps for an axis of about `count` marks. */
export function marks(low, high, count) {
  const rough = Math.max(1, (high - low) / count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((each) => each * power >= rough);
  const out = [];
  for (let mark = Math.ceil(low / step) * step; mark <= high; mark += step) out.push(mark);
  return out;
}
