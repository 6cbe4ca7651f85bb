// The jobs of a run as a graph: columns by how much must have passed before, a matrix in a frame of its own, and lines
// between what needs each other. A job is a button that shows its log.

import { element, setText } from "../ui.js";
import { STATES, jobNote } from "./words.js";

export class Graph {
  #key = "";
  #nodes = new Map(); // job → its elements

  constructor(host, choose) {
    Object.assign(this, { host, choose });
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.columns = element("div", { className: "graph-columns" });
    host.replaceChildren(this.lines, this.columns);
    new ResizeObserver(() => this.#connect()).observe(this.columns);
  }

  /** Show these jobs; `chosen` is the name of the one whose log is shown. */
  show(jobs, chosen) {
    const key = jobs.map(({ name }) => name).join();
    if (key !== this.#key) this.#build(jobs);
    this.#key = key;
    const now = Date.now();
    for (const job of jobs) {
      const { button, glyph, said, note, bar } = this.#nodes.get(job.name);
      const { glyph: sign, word } = STATES[job.state];
      if (button.dataset.state !== job.state) button.dataset.state = job.state;
      setText(glyph, sign);
      setText(note, jobNote(job, now));
      button.setAttribute("aria-pressed", String(job.name === chosen));
      setText(said, `${word}${job.attempt > 1 ? `, attempt ${job.attempt}` : ""}, `);
      const share = job.state === "running" && job.expected ? Math.min(0.98, (now - job.began) / 1000 / job.expected) : 0;
      bar.style.setProperty("--share", share.toFixed(3));
    }
    this.jobs = jobs;
  }

  #build(jobs) {
    this.#nodes.clear();
    const depths = new Map();
    const depthOf = (name) => {
      if (!depths.has(name)) {
        const { needs } = jobs.find((job) => job.name === name) ?? { needs: [] };
        depths.set(name, needs.length ? 1 + Math.max(...needs.map(depthOf)) : 0);
      }
      return depths.get(name);
    };
    const columns = [];
    for (const job of jobs) (columns[depthOf(job.name)] ??= []).push(job);
    this.columns.replaceChildren(...columns.map((column) => this.#column(column)));
    this.jobs = jobs;
    this.#connect();
  }

  #column(jobs) {
    const matrix = jobs[0].matrix;
    const nodes = jobs.map((job) => this.#node(job));
    if (!matrix) return element("div", { className: "graph-column" }, ...nodes);
    const frame = element("div", { className: "matrix", role: "group", ariaLabel: `Matrix ${matrix}` }, element("span", { className: "eyebrow" }, matrix), ...nodes);
    return element("div", { className: "graph-column" }, frame);
  }

  #node(job) {
    const glyph = element("i", { ariaHidden: "true" });
    const said = element("span", { className: "visually-hidden" });
    const note = element("span");
    const bar = element("span", { className: "job-bar", ariaHidden: "true" });
    const button = element("button", { type: "button", className: "job", dataset: { testid: `job-${job.name}`, job: job.name } }, glyph, element("span", {}, element("b", {}, job.name), element("small", {}, said, note)), bar);
    button.addEventListener("click", () => this.choose(job.name));
    this.#nodes.set(job.name, { button, glyph, said, note, bar });
    return button;
  }

  /** Lines from each job, or its matrix, to what needs it. */
  #connect() {
    if (!this.jobs) return;
    const origin = this.columns.getBoundingClientRect();
    const box = (name) => {
      const { button } = this.#nodes.get(name);
      const { left, right, top, bottom } = (button.closest(".matrix") ?? button).getBoundingClientRect();
      return { left: left - origin.left, right: right - origin.left, middle: (top + bottom) / 2 - origin.top };
    };
    const paths = new Set();
    for (const { name, needs } of this.jobs) {
      for (const need of needs) {
        if (!this.#nodes.has(need)) continue;
        const [from, to] = [box(need), box(name)];
        const half = (from.right + to.left) / 2;
        paths.add(`M${from.right.toFixed()} ${from.middle.toFixed()}C${half.toFixed()} ${from.middle.toFixed()} ${half.toFixed()} ${to.middle.toFixed()} ${to.left.toFixed()} ${to.middle.toFixed()}`);
      }
    }
    this.lines.setAttribute("width", origin.width);
    this.lines.setAttribute("height", origin.height);
    this.lines.replaceChildren(...[...paths].map((d) => {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", d);
      return path;
    }));
  }
}
