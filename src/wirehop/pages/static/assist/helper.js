// The side that helps: the picture, at any zoom, and what can be done over it.

import { byTestId, setText } from "../ui.js";
import { Hands } from "./control.js";
import { Overlay } from "./overlay.js";

const page = (id) => document.getElementById(id);

export class Helper {
  #source = { what: "", offset: -1 };
  #revoked = new Set();
  #asked = false;
  #ends = [];

  constructor(session) {
    this.session = session;
    const { room } = session;
    const stage = page("stage");
    this.video = byTestId("remote-video");
    this.overlay = new Overlay(stage);
    this.hands = new Hands(stage, {
      send: (message, options) => session.lane.send(message, options),
      drawn: (stroke) => this.overlay.draw("me", session.name, stroke),
    });
    const show = (track) => track.source === "screen" && this.#picture(track);
    this.#ends.push(
      room.on("track", show),
      room.on("trackEnded", ({ source, participant }) => source === "screen" && participant.id === this.from && this.#picture(null)),
      room.on("joined", () => this.#show()),
      room.on("left", ({ id }) => {
        this.overlay.forget(id);
        if (id === this.from) this.#picture(null);
        if (id === this.hands.grant?.from) this.#have(null);
        this.#show();
      }),
    );
    for (const participant of room.participants.values()) for (const track of participant.tracks.values()) show({ ...track, participant });
    this.#bind(stage);
    this.#show();
  }

  happened(entry, isLive) {
    const { what, offset, to, grant, from } = entry;
    const isMine = to === this.session.room.me.id;
    if ((what === "share-started" || what === "share-stopped") && offset > this.#source.offset) {
      this.#source = { what: what === "share-started" ? entry.source : "", offset };
    } else if (what === "control-granted" && isMine && !this.#revoked.has(grant)) this.#have({ grant, from });
    else if (what === "control-revoked") {
      this.#revoked.add(grant);
      if (this.hands.grant?.grant === grant) this.#have(null);
    } else if (what === "control-refused" && isMine && isLive) {
      this.#asked = false;
      this.session.notice("Control was not given to you.");
    }
    this.#show();
  }

  heard(message, from) {
    const name = this.session.room.participants.get(from)?.name ?? "";
    if (message.kind === "stroke") this.overlay.draw(from, name, message);
    else if (message.kind === "pointer") message.gone ? this.overlay.unpoint(from) : this.overlay.point(from, name, message);
  }

  buttons() {
    return [];
  }

  async close() {
    for (const end of this.#ends) end();
    this.#have(null);
    this.#picture(null);
    this.hands.close();
    this.overlay.remove();
    if (!this.session.isEnded) await Promise.allSettled([this.session.conversation.record("left")]);
  }

  // ---- inside

  #bind(stage) {
    for (const tool of document.querySelectorAll("[name=tool]")) tool.onchange = () => this.#take(tool.value);
    byTestId("ask-control").onclick = () => {
      this.#asked = true;
      this.#show();
      this.session.conversation.record("control-asked").catch((error) => this.session.notice(`Not asked: ${error.message}.`));
    };
    byTestId("return-control").onclick = () => {
      this.#have(null);
      this.session.conversation.record("control-returned").catch((error) => this.session.notice(`Not told: ${error.message}.`));
    };
    const fit = () => this.#fit(stage);
    byTestId("zoom").onchange = fit;
    this.video.onresize = fit;
    const watcher = new ResizeObserver(fit);
    watcher.observe(page("stage-scroll"));
    this.#ends.push(() => watcher.disconnect());
  }

  /** Pixels of the picture on those of the page; "Fit" is as wide as there is room. */
  #fit(stage) {
    const zoom = Number(byTestId("zoom").value);
    const { videoWidth } = this.video;
    stage.style.width = zoom ? `${Math.round(videoWidth * zoom)}px` : "100%";
    stage.classList.toggle("has-picture", !!this.video.srcObject && videoWidth > 0);
  }

  #take(tool) {
    this.hands.tool = tool;
    page("stage").dataset.tool = tool;
  }

  #have(grant) {
    this.hands.grant = grant;
    this.#asked = false;
    const tool = grant ? "control" : this.hands.tool === "control" ? "point" : this.hands.tool;
    byTestId("tool-control").disabled = !grant;
    byTestId(`tool-${tool}`).checked = true;
    this.#take(tool);
    if (grant) page("stage").focus({ preventScroll: true });
    this.#show();
  }

  #picture(found) {
    this.from = found?.participant.id ?? "";
    this.video.srcObject = found ? new MediaStream([found.track]) : null;
    if (found) this.video.play().catch(() => {}); // muted: it plays when it is seen
    this.#fit(page("stage"));
    this.#show();
  }

  #show() {
    const { room } = this.session;
    const isThere = [...room.participants.values()].some(({ info }) => info?.role === "share");
    const waiting = !isThere ? "The other side is away. The picture comes back with them." : this.#source.what ? "The picture is on its way…" : "Nothing is shared yet.";
    setText(page("waiting"), waiting);
    const ask = byTestId("ask-control");
    ask.hidden = !!this.hands?.grant;
    ask.disabled = this.#asked || this.#source.what !== "page";
    ask.title = this.#source.what === "screen" ? "A screen can be looked at, not worked on" : "";
    setText(ask, this.#asked ? "Asked for control…" : "Ask for control");
    byTestId("return-control").hidden = !this.hands?.grant;
  }
}
