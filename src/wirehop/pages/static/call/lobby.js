// Before the call: what the others will see and hear, which devices, who is there already, and whether it can work.

import { preflight } from "../sdk/wirehop.rtc.js";
import { avatar } from "../chat/people.js";
import { SERVER, byTestId, element, randomId, setText } from "../ui.js";
import { LevelMeter } from "./levels.js";

const LEVEL_MILLISECONDS = 60;
const WHO_MILLISECONDS = 4000;
const page = (id) => document.getElementById(id);

const STEPS = {
  "ice-servers": "The server names its relays",
  "stun-udp": "UDP reaches the server",
  "turn-udp": "A relay over UDP",
  "turn-tcp": "A relay over TCP",
  "turn-tls": "A relay over TLS",
  "relay": "Data goes through the relay",
};
const MARKS = { ok: "✓", failed: "✕", skipped: "–" };

export class Lobby {
  #meter = new LevelMeter();
  #timers = [];

  constructor({ sources, client, channel, name }) {
    Object.assign(this, { sources, client, channel, name });
    sources.addEventListener("change", () => this.show());
    byTestId("preflight").addEventListener("click", () => this.#check());
  }

  open() {
    this.#timers = [
      setInterval(() => page("level").style.setProperty("--level", this.sources.isOn("microphone") ? this.#meter.read() : 0), LEVEL_MILLISECONDS),
      setInterval(() => document.hidden || this.#askWho(), WHO_MILLISECONDS),
    ];
    this.#askWho();
    this.show();
  }

  close() {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#meter.listen(undefined);
    page("preview-video").srcObject = null;
    page("preflight-steps").replaceChildren();
  }

  show() {
    if (!this.#timers.length) return;
    const { sources } = this;
    const track = sources.track("camera");
    const video = page("preview-video");
    if (video.srcObject?.getVideoTracks()[0] !== track) video.srcObject = track ? new MediaStream([track]) : null;
    page("preview").dataset.picture = String(!!track);
    page("preview").classList.toggle("mirrored", sources.isMirrored);
    const face = avatar(this.name() || "?");
    face.id = "preview-avatar";
    page("preview-avatar").replaceWith(face);
    const failures = [...new Set(sources.failures.values())];
    setText(page("preview-words"), failures.join(" ") || (track ? "" : "Camera off"));
    page("preview-words").classList.toggle("bad", failures.length > 0);
    this.#meter.listen(sources.track("microphone"));
  }

  /** Who is in the room, without entering it. */
  async #askWho() {
    const channel = this.channel();
    try {
      const answer = await fetch(`${SERVER}channels/${encodeURIComponent(channel)}/presence`);
      const { presence = {} } = answer.ok ? await answer.json() : {};
      const names = [...new Set(Object.values(presence).map((info) => info.conn_info?.name || info.user || "somebody"))];
      if (channel !== this.channel()) return;
      const words = names.length > 3 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} others are` : names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)} are` : `${names[0]} is`;
      setText(page("lobby-who"), names.length ? `${words} in this room.` : "Nobody is in this room yet.");
    } catch {
      setText(page("lobby-who"), "The server cannot be reached.");
    }
  }

  /** In a channel of its own: those who are in the room need not see somebody come and go. */
  async #check() {
    const button = byTestId("preflight");
    const list = page("preflight-steps");
    button.disabled = true;
    setText(button, "Checking…");
    list.replaceChildren();
    delete list.dataset.result;
    try {
      const { ok, steps } = await preflight(this.client(), `room:preflight-${randomId(6)}`);
      list.dataset.result = ok ? "ok" : "failed";
      list.replaceChildren(
        element("li", { className: ok ? "sum good" : "sum bad" }, ok ? "A call can work from here." : "A call will probably not work from here."),
        ...steps.map((step) => this.#step(step)),
      );
    } catch (error) {
      list.dataset.result = "failed";
      list.replaceChildren(element("li", { className: "sum bad" }, `This could not be checked: ${error.message}.`));
    } finally {
      button.disabled = false;
      setText(button, "Check again");
    }
  }

  #step({ name, result, milliseconds, reason, advice }) {
    const why = [reason, advice].filter(Boolean).join("; ");
    const mark = element("b", { role: "img", ariaLabel: result }, MARKS[result]);
    const text = element("span", {}, STEPS[name] ?? name);
    if (why) text.append(element("small", {}, why));
    const took = element("span", { className: "took" }, result === "ok" ? `${Math.round(milliseconds)} ms` : "");
    return element("li", { dataset: { step: name, result } }, mark, text, took);
  }
}
