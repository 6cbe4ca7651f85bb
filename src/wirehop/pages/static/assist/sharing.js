// What is shared: this page's surface, or what the browser's own dialog offers. Chosen, looked at, and only then shared.

import { Painter } from "./painter.js";

export class Sharing {
  /** `page` or `screen`, while it is shared. */
  source = "";
  #chosen = null; // {source, track, stop}
  #shared = null;

  /** `changed()` whenever something is chosen, shared or not any more. */
  constructor(room, surface, { changed, stopped }) {
    Object.assign(this, { room, surface, changed, stopped });
    room.local.on("changed", ({ source, state, byUser }) => {
      if (source === "screen" && state === "off" && byUser) this.stop(); // the browser's own button
    });
  }

  /** The track to be looked at before it is shared. */
  get preview() {
    return this.#chosen?.track ?? null;
  }

  get track() {
    return this.#shared?.track ?? null;
  }

  choosePage() {
    this.cancel();
    const painter = new Painter(this.surface);
    const track = painter.start();
    this.#choose({ source: "page", track, stop: () => painter.stop() });
  }

  async chooseScreen() {
    if (!navigator.mediaDevices?.getDisplayMedia) throw new Error("this browser shares screens on HTTPS and localhost only, or not at all");
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 15 }, audio: false });
    this.cancel();
    const [track] = stream.getVideoTracks();
    track.contentHint = "detail";
    track.addEventListener("ended", () => this.#chosen?.track === track && this.cancel());
    this.#choose({ source: "screen", track, stop: () => {} });
  }

  cancel() {
    if (this.#chosen) end(this.#chosen);
    this.#chosen = null;
    this.changed();
  }

  /** Share what was chosen, in place of what was shared before. */
  async start() {
    const chosen = this.#chosen;
    if (!chosen) return;
    const before = this.#shared;
    await this.room.local.shareScreen({ video: chosen.track });
    this.#chosen = null;
    this.#shared = chosen;
    this.source = chosen.source;
    if (before) end(before);
    this.changed();
  }

  async stop() {
    const shared = this.#shared;
    this.cancel();
    if (!shared) return;
    this.#shared = null;
    this.source = "";
    if (this.room.state !== "left") await this.room.local.stopScreen();
    end(shared);
    this.changed();
    this.stopped();
  }

  #choose(chosen) {
    this.#chosen = chosen;
    this.changed();
  }
}

function end({ track, stop }) {
  track.stop();
  stop();
}
