// What runs and what ran, newest first: pipelines of this server, and commands that `wirehop run` has announced.

import { element, setText } from "../ui.js";
import { STATES, duration, elapsed, isOver } from "./words.js";

const SILENT = 60_000; // milliseconds without a word, three times as long as between two

/** What `wirehop run` says of itself, as a run with one job; undefined for what is not that. */
export function announced(status) {
  const { run, name, state, channel, control, at, began, ended, lines, code, signal } = status ?? {};
  const isSound = [run, name, state, channel].every((each) => typeof each === "string" && each) && state in STATES && Number.isFinite(began) && Number.isFinite(at);
  if (!isSound || !channel.includes(":")) return undefined;
  const job = {
    name: name.slice(0, 80), needs: [], matrix: "", expected: 0, channel, run, since: 0, attempt: 1,
    state, began, ended: Number(ended) || 0, lines: Number(lines) || 0, code: Number(code) || 0, signal: String(signal ?? "").slice(0, 20),
  };
  // only what is meant for orders gets any
  const orders = typeof control === "string" && control.startsWith("run-control:") ? control : "";
  return { key: `run:${run}`, run, pipeline: "", title: job.name, number: 0, by: "wirehop run", began, ended: job.ended, state, jobs: [job], control: orders, at, isAnnounced: true };
}

/** The state that is shown: who has been silent for long may be dead. */
export const stateOf = (run, now = Date.now()) => (run.isAnnounced && run.state === "running" && now - run.at > SILENT ? "silent" : run.state);

export class RunList {
  #items = new Map(); // key → {item, glyph, title, note}

  constructor(host, link) {
    Object.assign(this, { host, link });
  }

  show(runs, chosen) {
    const now = Date.now();
    const gone = new Set(this.#items.keys());
    runs.forEach((run, index) => {
      const { item, anchor, glyph, title, note } = this.#items.get(run.key) ?? this.#add(run.key);
      gone.delete(run.key);
      const state = stateOf(run, now);
      if (item.dataset.state !== state) item.dataset.state = state;
      setText(glyph, STATES[state].glyph);
      setText(title, run.number ? `${run.title} #${run.number}` : run.title);
      setText(note, `${STATES[state].word} · ${duration(elapsed(run, state === "silent" ? run.at : now))} · ${run.by}`);
      anchor.href = this.link(run);
      if (run === chosen) anchor.setAttribute("aria-current", "true");
      else anchor.removeAttribute("aria-current");
      if (this.host.children[index] !== item) this.host.insertBefore(item, this.host.children[index] ?? null);
    });
    for (const key of gone) {
      this.#items.get(key).item.remove();
      this.#items.delete(key);
    }
  }

  #add(key) {
    const glyph = element("i", { ariaHidden: "true" });
    const title = element("b");
    const note = element("small");
    const anchor = element("a", {}, glyph, element("span", {}, title, note));
    const item = element("li", { className: "run", dataset: { testid: "run" } }, anchor);
    const parts = { item, anchor, glyph, title, note };
    this.#items.set(key, parts);
    return parts;
  }
}

/** Newest first. */
export const newestFirst = (runs) => [...runs].sort((a, b) => b.began - a.began || (isOver(a.state) ? 1 : -1));
