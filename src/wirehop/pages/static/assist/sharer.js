// The side that shares: what is shared, who may come in, who may work on the surface, and the end when nothing happens.

import { byTestId, element, setText } from "../ui.js";
import { Grants } from "./control.js";
import { Overlay } from "./overlay.js";
import { Sharing } from "./sharing.js";

const IDLE = 600; // seconds; `?idle=` says otherwise
const WARNING = 60;
const ANSWER_WITHIN = 115_000; // milliseconds: the server waits for two minutes

const page = (id) => document.getElementById(id);

export class Sharer {
  #overlay = null;
  #requests = new Map(); // key → card
  #openGrants = new Map(); // of the history: those that nobody has taken back
  #ends = [];
  #isOver = false;

  constructor(session, surface) {
    Object.assign(this, { session, surface });
    const { room, conversation } = session;
    this.grants = new Grants(conversation, surface, () => this.#showControl());
    this.sharing = new Sharing(room, surface, { changed: () => this.#show(), stopped: () => this.#stopped() });
    this.#ends.push(
      room.on("left", ({ id }) => {
        this.#overlay?.forget(id);
        this.grants.revokeFrom(id, "not here any more");
        this.#answered(`control ${id}`);
      }),
    );
    this.#bind();
    this.#watchIdle();
    this.#show();
  }

  /** After a reload: nobody has control any more, and the form is shared again. */
  async comeBack(source) {
    for (const { to, name, grant } of this.#openGrants.values()) {
      if (this.grants.current?.grant !== grant) await this.session.conversation.record("control-revoked", { to, name, grant, reason: "the page was reloaded" });
    }
    if (source !== "page") return;
    this.sharing.choosePage();
    await this.#start();
  }

  // ---- what comes

  /** Somebody wants to come in. The answer goes back to the server. */
  async asked({ client, name }) {
    const { conversation } = this.session;
    if (this.#isOver) return { approved: false };
    conversation.record("asked-in", { name });
    const approved = await new Promise((answer) => {
      const wait = setTimeout(() => answer(false), ANSWER_WITHIN);
      this.#request(`in ${client}`, `${name} wants to join this session.`, ["Let in", "Do not"], ["accept", "refuse"], (yes) => {
        clearTimeout(wait);
        answer(yes);
      });
    });
    this.#answered(`in ${client}`);
    if (!this.#isOver) await conversation.record(approved ? "let-in" : "kept-out", { name });
    return { approved };
  }

  happened(entry, isLive) {
    this.#touch();
    if (entry.what === "control-granted") this.#openGrants.set(entry.grant, entry);
    if (entry.what === "control-revoked") this.#openGrants.delete(entry.grant);
    if (!isLive || this.#isOver) return;
    const participant = this.session.room.participants.get(entry.from);
    if (entry.what === "control-asked" && participant) this.#controlAsked(participant);
    else if (entry.what === "control-returned") this.grants.revokeFrom(entry.from, "given back");
    else if (entry.what === "left") this.#helperLeft(entry.from);
  }

  heard(message, from) {
    this.#touch();
    const name = this.session.room.participants.get(from)?.name ?? "";
    if (message.kind === "input") this.grants.heard(message, from);
    else if (!this.#overlay) return;
    else if (message.kind === "stroke") this.#overlay.draw(from, name, message);
    else if (message.kind === "pointer") message.gone ? this.#overlay.unpoint(from) : this.#overlay.point(from, name, message);
  }

  buttons(participant) {
    if (participant.info?.role === "share" || this.sharing.source !== "page") return [];
    const hasIt = this.grants.current?.to === participant.id;
    const button = element("button", { className: hasIt ? "button danger" : "button", type: "button", dataset: { testid: hasIt ? "take-control" : "give-control" } }, hasIt ? "Take control back" : "Give control");
    button.addEventListener("click", () => (hasIt ? this.grants.revoke() : this.#give(participant)));
    return [button];
  }

  /** All that is shared and allowed ends now. */
  async close(reason) {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const end of this.#ends) end();
    for (const key of [...this.#requests.keys()]) this.#requests.get(key).answer(false);
    this.grants.revoke("the session has ended");
    const { conversation, client, saved } = this.session;
    this.#removeOverlay();
    await this.sharing.stop();
    await Promise.allSettled([conversation.record("ended", { reason }), client.rpc("assist.end", { code: saved.code, secret: saved.secret })]);
  }

  // ---- what is done

  #bind() {
    byTestId("choose-page").onclick = () => this.sharing.choosePage();
    byTestId("choose-screen").onclick = () =>
      this.sharing.chooseScreen().catch((error) => error.name !== "NotAllowedError" && this.session.notice(`The screen is not shared: ${error.message}.`));
    byTestId("preview-cancel").onclick = () => this.sharing.cancel();
    byTestId("share-start").onclick = () => this.#start();
    byTestId("share-stop").onclick = () => this.sharing.stop();
  }

  async #start() {
    this.grants.revoke("something else is shared");
    this.#removeOverlay();
    await this.sharing.start();
    const { source } = this.sharing;
    if (!source) return;
    this.#overlay = new Overlay(source === "page" ? page("surface") : page("preview-picture"));
    this.session.keep({ source });
    await this.session.conversation.record("share-started", { source });
  }

  #stopped() {
    this.grants.revoke("nothing is shared any more");
    this.#removeOverlay();
    this.session.keep({ source: "" });
    this.session.conversation.record("share-stopped").catch(() => {}); // the session is over
  }

  #removeOverlay() {
    this.#overlay?.remove();
    this.#overlay = null;
  }

  #helperLeft(id) {
    this.grants.revokeFrom(id, "left");
    this.#overlay?.forget(id);
    const others = [...this.session.room.participants.values()].filter((each) => each.id !== id && each.info?.role !== "share");
    if (!others.length && this.sharing.source) this.sharing.stop();
  }

  #give(participant) {
    this.#answered(`control ${participant.id}`);
    this.grants.give(participant).catch((error) => this.session.notice(`Control was not given: ${error.message}.`));
  }

  #controlAsked(participant) {
    if (this.sharing.source !== "page" || this.grants.current?.to === participant.id) return;
    const { id, name } = participant;
    this.#request(`control ${id}`, `${name} asks for control of the form.`, ["Give control", "Do not"], ["grant", "refuse-control"], (yes) => {
      this.#answered(`control ${id}`);
      if (yes) this.#give(participant);
      else this.session.conversation.record("control-refused", { to: id, name }).catch(() => {}); // the session is over
    });
  }

  #request(key, text, [yes, no], [yesId, noId], answer) {
    if (this.#requests.has(key)) return;
    const button = (label, className, testid, value) => {
      const node = element("button", { type: "button", className, dataset: { testid } }, label);
      node.addEventListener("click", () => answer(value));
      return node;
    };
    const card = element("div", { className: "request" }, element("p", {}, text), element("div", { className: "row" }, button(no, "button", noId, false), button(yes, "button primary", yesId, true)));
    this.#requests.set(key, { card, answer });
    page("requests").append(card);
    page("requests").hidden = false;
  }

  #answered(key) {
    this.#requests.get(key)?.card.remove();
    this.#requests.delete(key);
    page("requests").hidden = !this.#requests.size;
  }

  // ---- what is shown

  #show() {
    const { source, preview, track } = this.sharing;
    const shown = preview ?? (source === "screen" ? track : null);
    const video = byTestId("preview");
    page("preview").hidden = !shown;
    page("preview").classList.toggle("shared", !preview);
    page("preview-buttons").hidden = !preview;
    setText(page("preview-said"), preview ? "This is what helpers will see. Nothing is shared yet." : "This is what helpers see.");
    if ((video.srcObject?.getTracks()[0] ?? null) !== shown) video.srcObject = shown ? new MediaStream([shown]) : null;
    const words = { "page": "Helpers see the form", "screen": "Helpers see your screen", "": "Nothing is shared" };
    setText(page("share-said"), words[source]);
    page("share-said").classList.toggle("on", !!source);
    byTestId("share-stop").hidden = !source;
    byTestId("choose-page").hidden = source === "page";
    this.session.showPeople();
  }

  #showControl() {
    const { current } = this.grants;
    page("surface-frame").classList.toggle("controlled", !!current);
    setText(byTestId("controlled-by"), current ? `${current.name} has control` : "");
    this.session.showPeople();
  }

  // ---- the end when nothing happens

  #watchIdle() {
    const limit = Math.max(1, Number(new URLSearchParams(location.search).get("idle")) || IDLE) * 1000;
    const warnAfter = limit - Math.min(WARNING * 1000, limit / 2);
    let isWarned = false;
    this.#touch = () => {
      this.last = performance.now();
      if (isWarned) this.session.notice("");
      isWarned = false;
    };
    for (const name of ["pointerdown", "keydown"]) addEventListener(name, this.#touch);
    const timer = setInterval(() => {
      const idle = performance.now() - this.last;
      if (idle > limit) this.session.end("nothing has happened for too long");
      else if (idle > warnAfter) {
        isWarned = true;
        this.session.notice(`Nothing happens: the session ends in ${Math.ceil((limit - idle) / 1000)} s. Click anywhere to go on.`);
      }
    }, 250);
    this.#ends.push(() => {
      clearInterval(timer);
      for (const name of ["pointerdown", "keydown"]) removeEventListener(name, this.#touch);
    });
    this.#touch();
  }

  #touch = () => {};
}
