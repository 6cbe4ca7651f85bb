// What is said and done in a session: chat and the audit list are the history of its channel, so both survive a reload,
// and nothing that the audit list should have can be done without being in it. Who did it is what the server says.

import { element, randomId } from "../ui.js";

const HISTORY = 500;
const MOST_TEXT = 1000;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

const WORDS = {
  "opened": () => "opened the session",
  "came-back": () => "came back after a reload",
  "asked-in": ({ name }) => `was asked by ${name} to be let in`,
  "let-in": ({ name }) => `let ${name} in`,
  "kept-out": ({ name }) => `did not let ${name} in`,
  "share-started": ({ source }) => `began to share ${source === "page" ? "this page’s form" : "a screen"}`,
  "share-stopped": () => "stopped sharing",
  "control-asked": () => "asked for control",
  "control-granted": ({ name }) => `gave control to ${name}`,
  "control-refused": ({ name }) => `did not give control to ${name}`,
  "control-revoked": ({ name, reason }) => `took control back from ${name}${reason ? `: ${reason}` : ""}`,
  "control-returned": () => "gave control back",
  "left": () => "left",
  "ended": ({ reason }) => `ended the session${reason ? `: ${reason}` : ""}`,
};

const short = (value) => String(value ?? "").slice(0, 60);

export class Conversation {
  #seen = new Set(); // offsets
  #ends = [];

  /** `happened(entry, isLive)` gets each entry once: `{what, from, who, offset, …}`, what is in WORDS or "chat". */
  constructor(channel, { audit, chat, happened, missed }) {
    Object.assign(this, { channel, audit, chat, happened, missed });
    this.#ends.push(
      channel.on("publication", (publication) => this.#take(publication, true)),
      channel.on("subscribed", ({ recovered }) => recovered || this.read()),
    );
  }

  /** All that was. What arrives meanwhile is taken as well, each once. */
  async read() {
    try {
      const { publications = [] } = await this.channel.history({ limit: HISTORY, reverse: true });
      for (const publication of publications.reverse()) this.#take(publication, false);
    } catch (error) {
      this.missed(`What was said before could not be read: ${error.message}.`);
    }
  }

  say(text) {
    return this.#publish({ kind: "chat", text: text.slice(0, MOST_TEXT) });
  }

  /** Write it down. Resolves when it stands there. */
  record(what, details = {}) {
    return this.#publish({ kind: "audit", what, ...details });
  }

  close() {
    for (const end of this.#ends) end();
  }

  #publish(data) {
    return this.channel.publish(data, { key: randomId() });
  }

  #take({ data, info, offset, time }, isLive) {
    if (this.#seen.has(offset) || typeof data !== "object" || data === null) return;
    this.#seen.add(offset);
    const who = short(info?.conn_info?.name ?? info?.user ?? "somebody");
    const entry = { ...data, from: info?.client ?? "", who, offset, at: time || Date.now() };
    if (data.kind === "chat" && typeof data.text === "string") this.#show(this.chat, { ...entry, what: "chat" }, data.text.slice(0, MOST_TEXT));
    else if (data.kind === "audit" && Object.hasOwn(WORDS, data.what)) {
      for (const name of ["name", "reason", "source"]) if (name in entry) entry[name] = short(entry[name]);
      this.#show(this.audit, entry, WORDS[data.what](entry));
    } else return;
    this.happened(data.kind === "chat" ? { ...entry, what: "chat" } : entry, isLive);
  }

  #show(list, { what, who, offset, at }, text) {
    const line = element("li", { dataset: { what, offset } }, element("time", { dateTime: new Date(at).toISOString() }, clock.format(at)), element("span", {}, element("b", {}, who), ` ${text}`));
    const next = [...list.children].find((other) => Number(other.dataset.offset) > offset); // history may come after what is new
    list.insertBefore(line, next ?? null);
    list.scrollTop = list.scrollHeight;
  }
}
