// Control of a page surface. `Grants` is with who shares: one person at a time may work on the surface, from when it stands
// in the audit list until it is taken back, and each grant has an id of its own, so that nothing of an older one is done.
// `Hands` is with the helper: what mouse, pen and keyboard do over the picture.

import { randomId } from "../ui.js";

const POINTER_EVERY = 33; // milliseconds
const STROKE_EVERY = 50;

export class Grants {
  /** `{to, name, grant}` */
  current = null;
  done = 0;
  refused = 0; // input without a grant
  #pending = null;

  /** `changed()` when somebody has control or nobody. */
  constructor(conversation, surface, changed) {
    Object.assign(this, { conversation, surface, changed });
  }

  async give(participant) {
    this.revoke("given to somebody else");
    const given = { to: participant.id, name: participant.name, grant: randomId(8) };
    this.#pending = given;
    await this.conversation.record("control-granted", given);
    if (this.#pending !== given) return; // taken back before it stood there
    this.#pending = null;
    this.current = given;
    this.changed();
  }

  /** At once; then it is written down. */
  revoke(reason = "") {
    const taken = this.current ?? this.#pending;
    this.current = this.#pending = null;
    if (!taken) return;
    this.changed();
    this.conversation.record("control-revoked", { ...taken, reason }).catch(() => {}); // the session is over
  }

  /** Who has it gave it back, or went. */
  revokeFrom(id, reason) {
    if (id === (this.current ?? this.#pending)?.to) this.revoke(reason);
  }

  heard(message, from) {
    if (!this.current || from !== this.current.to || message.grant !== this.current.grant) this.refused += 1;
    else if (this.surface.replay(message)) this.done += 1;
  }
}

export class Hands {
  tool = "point";
  grant = null; // the one that we have
  #pointedAt = 0;
  #stroke = null;
  #strokes = 0;
  #isDown = false;

  /** `stage` is what the picture fills; `send(message, options)`; `drawn(stroke)` for what is drawn here. */
  constructor(stage, { send, drawn }) {
    Object.assign(this, { stage, send, drawn });
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event));
    stage.addEventListener("pointerleave", () => this.send({ kind: "pointer", gone: true }, { isSure: false }));
    stage.addEventListener("keydown", (event) => this.#key(event));
    this.timer = setInterval(() => this.#flush(), STROKE_EVERY);
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.last);
    this.send = () => {};
  }

  #place({ clientX, clientY }) {
    const box = this.stage.getBoundingClientRect();
    const part = (value) => Math.min(1, Math.max(0, value));
    return { x: part((clientX - box.left) / box.width), y: part((clientY - box.top) / box.height) };
  }

  get #mayWork() {
    return this.tool === "control" && this.grant;
  }

  #work(action, details) {
    this.send({ kind: "input", grant: this.grant.grant, action, ...details }, { isSure: true, to: this.grant.from });
  }

  #move(event) {
    const place = this.#place(event);
    if (this.#stroke) return void this.#stroke.points.push([place.x, place.y]);
    const now = performance.now();
    if (now - this.#pointedAt < POINTER_EVERY) {
      clearTimeout(this.last); // where it stops is told too
      this.last = setTimeout(() => this.send({ kind: "pointer", ...place }, { isSure: false }), POINTER_EVERY);
      return;
    }
    clearTimeout(this.last);
    this.#pointedAt = now;
    this.send({ kind: "pointer", ...place }, { isSure: false });
    if (this.#mayWork && this.#isDown) this.#work("move", place);
  }

  #down(event) {
    this.stage.focus({ preventScroll: true });
    if (event.button !== 0 || this.tool === "point") return;
    const place = this.#place(event);
    this.stage.setPointerCapture(event.pointerId);
    event.preventDefault(); // no selecting, no dragging
    this.stage.focus({ preventScroll: true });
    if (this.tool === "draw") this.#stroke = { stroke: ++this.#strokes, points: [[place.x, place.y]] };
    else if (this.#mayWork) {
      this.#isDown = true;
      this.#work("down", place);
    }
  }

  #up(event) {
    if (this.#stroke) {
      this.#flush();
      this.#stroke = null;
    }
    if (this.#isDown && this.#mayWork) {
      this.#work("move", this.#place(event));
      this.#work("up", this.#place(event));
    }
    this.#isDown = false;
  }

  #flush() {
    if (!this.#stroke?.points.length) return;
    const told = { kind: "stroke", stroke: this.#stroke.stroke, points: this.#stroke.points.splice(0, 200).map((point) => point.map((part) => Number(part.toFixed(5)))) };
    this.drawn(told);
    this.send(told, { isSure: true });
  }

  #key(event) {
    if (!this.#mayWork || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Escape") return void this.stage.blur(); // the way out of the picture for the keyboard
    event.preventDefault();
    this.#work("key", { key: event.key, shift: event.shiftKey });
  }
}
