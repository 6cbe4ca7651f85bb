// One channel: followed and published to over an ordinary session, which the server lets do everything.

import { connect } from "../sdk/wirehop.js";
import { ask, count, rate, showFacts } from "./api.js";
import { SERVER, element, mountState, setText } from "../ui.js";

const EVERY = 2_000;
const BEFORE = 20; // publications from history
const KEPT = 200; // publications on the page
const LONGEST = 4_000; // characters of one that are shown
const PER_FRAME = 50; // publications drawn at once; of more only the newest are

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class ChannelDrawer {
  #channel = "";
  #client = null;
  #endState = () => {};
  #timer;
  #waiting = []; // publications of this frame
  #isHeld = false;

  constructor(dialog, { closed }) {
    Object.assign(this, { dialog, access: { token: "", wires: [] } });
    this.part = (id) => dialog.querySelector(`#${id}`);
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      this.#stop();
      closed();
    });
    this.part("hold").addEventListener("click", () => this.#hold(!this.#isHeld));
    this.part("payload").addEventListener("input", () => this.#drafted());
    this.part("payload").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.part("publish").requestSubmit();
    });
    this.part("publish").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#publish();
    });
  }

  show(channel) {
    if (channel === this.#channel) return;
    this.#stop();
    this.#channel = channel;
    this.part("channel-title").textContent = channel;
    this.part("channel-facts").replaceChildren();
    delete this.part("channel-facts").dataset.terms;
    this.part("payload").value = "";
    this.#note("Nothing yet. What is published from now on appears here.");
    this.#hold(false);
    this.#drafted();
    if (!this.dialog.open) this.dialog.showModal();
    this.#follow();
    this.#look();
  }

  hide() {
    if (this.dialog.open) this.dialog.close();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#channel = "";
    this.#endState();
    this.#endState = () => {};
    this.#client?.close();
    this.#client = null;
    this.#waiting = [];
  }

  // ---- following

  #follow() {
    const { token, wires } = this.access;
    if (!wires.length) return this.#note("This server offers no wire to follow channels over.");
    const client = (this.#client = connect(SERVER, { wires, token }));
    this.#endState = mountState(this.part("channel-state"), client);
    const seen = new Set(); // offsets: history and the first live ones may overlap
    const channel = client.channel(this.#channel);
    channel.on("subscribed", async ({ recovered }) => {
      if (recovered) return;
      try {
        const { publications = [] } = await channel.history({ limit: BEFORE, reverse: true });
        publications.reverse().forEach((each) => take(each));
      } catch {
        // a channel without history
      }
    });
    channel.on("publication", (publication) => take(publication));
    channel.on("unsubscribed", ({ reason }) => client === this.#client && this.#note(`Not open: ${reason}.`));
    const take = (publication) => {
      if (client !== this.#client) return;
      if (publication.offset) {
        if (seen.has(publication.offset)) return;
        seen.add(publication.offset);
        if (seen.size > 2 * KEPT) seen.delete(seen.values().next().value);
      }
      if (this.#waiting.push(publication) === 1) requestAnimationFrame(() => this.#draw());
      if (this.#waiting.length > KEPT) this.#waiting.splice(1, 1); // the first one has the frame
    };
  }

  #draw() {
    const publications = this.#waiting.splice(0).slice(-PER_FRAME);
    if (this.#isHeld || !publications.length) return;
    const list = this.part("stream");
    list.querySelector(".empty")?.remove();
    list.prepend(...publications.reverse().map(entry));
    while (list.children.length > KEPT) list.lastElementChild.remove();
    list.dataset.count = list.children.length;
  }

  #hold(isHeld) {
    this.#isHeld = isHeld;
    this.part("hold").setAttribute("aria-pressed", String(isHeld));
    this.part("hold").textContent = isHeld ? "Go on" : "Pause";
  }

  #note(text) {
    this.part("stream").replaceChildren(element("li", { className: "empty" }, text));
  }

  // ---- figures

  async #look() {
    const name = this.#channel;
    if (!name) return;
    try {
      const row = await ask("channel", { name });
      if (name !== this.#channel) return;
      const isSignal = row.delivery === "signal";
      showFacts(this.part("channel-facts"), [
        ["Subscribers", count(row.subscribers)],
        ["Publications", row.rate === null ? "–" : `${rate(row.rate)} /s`],
        ["Delivery", row.delivery],
        ["In history", isSignal ? "none" : `${count(row.kept)}${row.kept_more ? "+" : ""}`],
        ["Offset", isSignal ? "none" : count(row.top)],
        ["Presence", row.presence ? "on" : "off"],
      ]);
    } catch (error) {
      if (error.status === 401) return this.hide();
      if (error.status === 400) return this.#note(`${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
    }
    this.#timer = setTimeout(() => this.#look(), EVERY);
  }

  // ---- publishing

  #drafted() {
    const text = this.part("payload").value;
    this.part("publish").querySelector("button").disabled = !text.trim();
    setText(this.part("payload-kind"), text.trim() ? (isJson(text) ? "JSON" : "Text, as a JSON string") : "Ctrl and Enter publishes");
  }

  async #publish() {
    const text = this.part("payload").value;
    if (!text.trim() || !this.#client) return;
    const button = this.part("publish").querySelector("button");
    button.disabled = true;
    try {
      await this.#client.publish(this.#channel, isJson(text) ? JSON.parse(text) : text);
      this.part("payload").value = "";
      this.#drafted();
      setText(this.part("payload-kind"), "Published.");
    } catch (error) {
      setText(this.part("payload-kind"), `Not published: ${error.message}`);
      button.disabled = false;
    }
    this.part("payload").focus();
  }
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function entry({ data, offset, time, info, tags, key }) {
  const shown = typeof data === "string" ? data : JSON.stringify(data);
  const head = [
    ...(offset ? [element("b", {}, `#${count(offset)}`)] : []),
    element("time", {}, clock.format(time || Date.now())),
    ...(info ? [element("span", {}, info.user || info.client)] : []),
    ...(key ? [element("span", {}, `key ${key}`)] : []),
    ...Object.entries(tags ?? {}).map(([name, value]) => element("span", { className: "badge" }, `${name}: ${value}`)),
  ];
  const cut = shown.length > LONGEST ? `${shown.slice(0, LONGEST)}… (${count(shown.length)} characters)` : shown;
  return element("li", {}, element("div", { className: "entry-head" }, ...head), element("code", {}, cut));
}
