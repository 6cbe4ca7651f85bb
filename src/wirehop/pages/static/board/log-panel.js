// The log below the graph: its tools, its state in words, and the view. One log at a time.

import { element, setText } from "../ui.js";
import { LogFollower } from "./log-follow.js";
import { LogStore } from "./log-store.js";
import { LogView } from "./log-view.js";

const page = (id) => document.getElementById(id);
const count = new Intl.NumberFormat("en-GB");

export class LogPanel {
  store = new LogStore();
  follower; // of the log that is shown
  #client;
  #log = "";
  #name = "";

  /** `link(line)`: the address of a line. `changed` hears of everything that comes. */
  constructor(client, { link, changed }) {
    this.#client = client;
    this.changed = changed;
    this.view = new LogView(page("log"), { link, changed: () => this.#show() });
    this.view.show(this.store);
    const find = page("find");
    const search = () => this.view.search.set(find.value, { isExpression: page("expression").checked, isExact: page("exact").checked });
    find.addEventListener("input", search);
    for (const id of ["expression", "exact"]) page(id).addEventListener("change", search);
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#step(event.shiftKey);
      if (event.key === "Escape" && find.value) {
        find.value = "";
        search();
      }
    });
    this.search = search;
    page("next").addEventListener("click", () => this.#step(false));
    page("previous").addEventListener("click", () => this.#step(true));
    page("follow").addEventListener("click", () => this.view.follow(!this.view.isFollowing));
    page("fold").addEventListener("click", () => this.view.foldAll(this.#folded() < this.store.groups.length));
    page("download").addEventListener("click", () => this.#download());
    page("times").addEventListener("change", (event) => page("log").classList.toggle("has-times", event.target.checked));
  }

  /** Show this log: `{channel, run, since, name}`, at a line; nothing for a job that has none yet. */
  show(log, { line = 0, note = "" } = {}) {
    const key = log ? `${log.channel} ${log.run}` : "";
    setText(page("log-note"), log ? "" : note);
    page("log-note").hidden = Boolean(log);
    if (key === this.#log) {
      if (line && line !== this.view.chosen) this.view.goTo(line);
      return;
    }
    this.#log = key;
    this.#name = log?.name ?? "log";
    this.follower?.close();
    this.store = new LogStore();
    this.view.show(this.store, { line });
    this.search();
    this.follower = log && new LogFollower(this.#client(), log, this.store, () => {
      this.view.draw();
      this.changed();
    });
    this.#show();
  }

  #step(isBackwards) {
    const { view } = this;
    const line = view.search.after(view.chosen, isBackwards);
    if (line) view.goTo(line);
    this.#show();
  }

  #folded() {
    return this.store.groups.filter((group) => this.view.folding.isFolded(group)).length;
  }

  #show() {
    const { view, store, follower } = this;
    const { search } = view;
    page("follow").setAttribute("aria-pressed", String(view.isFollowing));
    const words = [`${count.format(store.length)} ${store.length === 1 ? "line" : "lines"}`];
    if (follower?.isReading) words.push(`reading, ${count.format(store.missing)} to come`);
    if (store.lost) words.push(`${count.format(store.lost)} not kept any more`);
    if (follower?.dropped) words.push(`${count.format(follower.dropped)} dropped`);
    if (follower?.error) words.push(follower.error);
    setText(page("log-count"), words.join(" · "));
    const place = search.lines.indexOf(view.chosen) + 1;
    const found = search.lines.length;
    const said = search.problem || (search.pattern ? (found ? `${place ? `${count.format(place)} of ` : ""}${count.format(found)}` : "not found") : "");
    setText(page("found"), said);
    page("find").setAttribute("aria-invalid", String(Boolean(search.problem)));
    for (const id of ["next", "previous"]) page(id).disabled = !found;
    page("fold").hidden = !store.groups.length;
    setText(page("fold"), this.#folded() < store.groups.length ? "Fold all" : "Unfold all");
    page("download").disabled = !store.held;
    page("log").dataset.lines = store.length;
  }

  #download() {
    const address = URL.createObjectURL(new Blob([this.store.raw()], { type: "text/plain;charset=utf-8" }));
    element("a", { href: address, download: `${this.#name.replace(/[^\w.-]+/g, "-")}.log` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  }
}
