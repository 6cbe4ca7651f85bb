// How somebody wants to be told: a form whose every change is said at once.

import { element } from "../ui.js";
import { TOPICS } from "./words.js";

const ATTENTION = { toast: "Toast and sound", inbox: "Inbox only", off: "Not at all" };
const QUIET = { off: "Off", now: "Now", hours: "Every night" };

const clock = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
const minutesOf = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));

/** Whether it is to be quiet at this moment. */
export function isQuiet({ quiet, quiet_from: from, quiet_to: to }, now = new Date()) {
  if (quiet !== "hours") return quiet === "now";
  const minute = now.getHours() * 60 + now.getMinutes();
  return from <= to ? from <= minute && minute < to : minute >= from || minute < to;
}

export class SettingsForm {
  #fields = {};

  /** `changed` gets all settings. */
  constructor(host, changed) {
    this.host = host;
    const topics = Object.entries(TOPICS).map(([topic, label]) => this.#row(label, this.#select(topic, ATTENTION)));
    const times = element("span", { className: "times" }, this.#time("quiet_from", "Quiet from"), element("span", { ariaHidden: "true" }, "to"), this.#time("quiet_to", "Quiet until"));
    host.replaceChildren(
      element("h3", {}, "Tell me about"),
      ...topics,
      element("h3", {}, "How"),
      this.#row("A sound, once in all tabs", this.#switch("sound")),
      this.#row("A digest of what I have missed", this.#switch("digest")),
      this.#row("Quiet: no toast, no sound", this.#select("quiet", QUIET)),
      this.#row("Nights", times),
    );
    host.addEventListener("submit", (event) => event.preventDefault());
    host.addEventListener("change", () => changed(this.#read()));
  }

  show(settings) {
    for (const [name, field] of Object.entries(this.#fields)) {
      if (field.type === "checkbox") field.checked = settings[name];
      else if (document.activeElement !== field) field.value = field.type === "time" ? clock(settings[name]) : settings[name];
    }
  }

  #read() {
    const read = (field) => (field.type === "checkbox" ? field.checked : field.type === "time" ? minutesOf(field.value || "00:00") : field.value);
    const settings = Object.fromEntries(Object.entries(this.#fields).map(([name, field]) => [name, read(field)]));
    return { ...settings, offset: -new Date().getTimezoneOffset() };
  }

  #row(label, control) {
    return element(control.tagName === "SPAN" ? "div" : "label", { className: "setting" }, element("span", {}, label), control);
  }

  #keep(name, field) {
    this.#fields[name] = field;
    field.dataset.testid = `setting-${name}`;
    return field;
  }

  #select(name, options) {
    return this.#keep(name, element("select", { className: "field" }, ...Object.entries(options).map(([value, label]) => element("option", { value }, label))));
  }

  #switch(name) {
    return this.#keep(name, element("input", { type: "checkbox", role: "switch", className: "switch" }));
  }

  #time(name, label) {
    return this.#keep(name, element("input", { type: "time", className: "field", ariaLabel: label }));
  }
}
