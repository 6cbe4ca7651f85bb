// Remote assistance. A session is a channel `assist:…` that is a room (wirehop.rtc.js) and whose history is chat and audit
// list (conversation.js). Who shares opens it and lets others in (src/wirehop/pages/assist.py); what is quick goes from
// browser to browser (lane.js).

import { connect } from "../sdk/wirehop.js";
import { joinRoom } from "../sdk/wirehop.rtc.js";
import { Breaks } from "../breaks.js";
import { firstChoice, mountTransportBar } from "../transport-bar.js";
import { SERVER, byTestId, memory, setText } from "../ui.js";
import { Conversation } from "./conversation.js";
import { mountFigures, mountPeople } from "./figures.js";
import { Helper } from "./helper.js";
import { Lane } from "./lane.js";
import { Sharer } from "./sharer.js";
import { Surface } from "./surface.js";

const KEPT = "wirehop.assist"; // in sessionStorage: what belongs to this tab survives its reload
const GOODBYE = 3000; // milliseconds for the last words

const page = (id) => document.getElementById(id);
const nameInput = byTestId("name-input");
const surface = new Surface(page("surface"));

const spelled = (code) => `${code.slice(0, 4)}-${code.slice(4)}`;
const plain = (code) => code.toLowerCase().replace(/[^0-9a-z]/g, "");

/** The page is being left or reloaded: its client closes, and the session does not end with that. */
let isLeaving = false;
addEventListener("pagehide", () => (isLeaving = true));
addEventListener("pageshow", () => (isLeaving = false));

const tab = {
  read() {
    try {
      return JSON.parse(sessionStorage.getItem(KEPT));
    } catch {
      return null;
    }
  },
  write(saved) {
    try {
      if (saved) sessionStorage.setItem(KEPT, JSON.stringify(saved));
      else sessionStorage.removeItem(KEPT);
    } catch {
      // the session lasts as long as the page
    }
  },
};

function notice(text) {
  setText(page("notice"), text);
  page("notice").hidden = !text;
}

function view(name) {
  document.body.dataset.view = name;
  page("door").hidden = name !== "start";
  page("over").hidden = name !== "over" && name !== "asking";
  page("again").hidden = name !== "over";
  page("session").hidden = name !== "session";
}

function say(title, text) {
  setText(page("over-title"), title);
  setText(page("over-text"), text);
}

// ---- one session ----------------------------------------------------------------------------------------------------

class Session {
  began = Date.now();
  side = null;
  isEnded = false; // by the other side
  #isOver = false;

  constructor(name, saved) {
    Object.assign(this, { name, saved, notice });
    const breaks = new Breaks();
    this.client = connect(SERVER, { wires: firstChoice(), data: { name }, context: breaks.context });
    page("transport").hidden = false;
    this.bar = mountTransportBar(page("transport"), this.client, { breaks });
    this.client.on("state", ({ state, reason }) => state === "closed" && !isLeaving && this.over("The session has ended", reason));
    byTestId("end").onclick = () => this.end();
  }

  keep(more) {
    Object.assign(this.saved, more);
    tab.write(this.saved);
  }

  showPeople() {
    this.people?.();
  }

  /** Share: a new session, or the one that this tab had. */
  async share() {
    let isReady;
    const ready = new Promise((done) => (isReady = done));
    this.client.handle("assist.asked", async (asked) => (await ready, this.side.asked(asked)));
    const wanted = { code: this.saved.code ?? "", secret: this.saved.secret ?? "" };
    const opened = await this.client.rpc("assist.open", wanted);
    const isBack = opened.code === wanted.code;
    const source = isBack ? this.saved.source : "";
    this.keep({ role: "share", ...opened });
    await this.#enter();
    page("share-tools").hidden = page("surface-frame").hidden = page("code-chip").hidden = false;
    const link = new URL(`#${opened.code}`, location.href.split(/[?#]/)[0]).href;
    setText(byTestId("code"), spelled(opened.code));
    byTestId("code").onclick = () => navigator.clipboard?.writeText(link).then(() => notice("A link for the helper was copied."), () => prompt("The link:", link));
    this.side = new Sharer(this, surface);
    this.room.on("room", ({ rejoined }) => rejoined && this.#openAgain());
    await this.conversation.read();
    await this.conversation.record(isBack ? "came-back" : "opened");
    isReady();
    await this.side.comeBack(source);
  }

  /** Help: ask to be let in, or come back to where this tab was. */
  async help(code) {
    if (!this.saved.channel) {
      say("Waiting to be let in", "The other side has been asked.");
      view("asking");
      const answer = new Promise((done) => this.client.handle("assist.answer", (said) => (done(said), null)));
      await this.client.rpc("assist.ask", { code });
      const { channel, reason } = await answer;
      if (!channel) return this.over("You were not let in", `${reason}.`);
      this.keep({ role: "help", code, channel });
    }
    await this.#enter();
    page("viewer").hidden = false;
    setText(byTestId("end"), "Leave");
    this.side = new Helper(this);
    await this.conversation.read();
  }

  async #enter() {
    const { channel, role } = this.saved;
    const ended = (reason) => {
      this.isEnded = true;
      this.over("The session has ended", reason ? `Because ${reason}.` : "The other side has ended it.");
    };
    this.bar.watch(this.client.channel(channel, { joinLeave: true }));
    this.room = await joinRoom(this.client, channel, { name: this.name, info: { role } });
    view("session");
    byTestId("end").hidden = false;
    this.conversation = new Conversation(this.room.channel, {
      audit: byTestId("audit"),
      chat: byTestId("chat"),
      missed: notice,
      happened: (entry, isLive) => {
        this.began = Math.min(this.began, entry.at);
        this.side?.happened(entry, isLive);
        if (entry.what === "ended" && role === "help") ended(entry.reason);
      },
    });
    this.lane = new Lane(this.client, this.room, channel.replace("assist:", "assist-live:"), (message, from) => this.side?.heard(message, from));
    this.people = mountPeople(byTestId("people"), { room: this.room, me: { name: this.name, role }, buttons: (each) => this.side?.buttons(each) ?? [] });
    this.figures = mountFigures(page("figures"), { room: this.room, lane: this.lane, began: () => this.began });
    this.room.on("error", ({ error }) => console.warn(`${error.name}: ${error.message}`));
  }

  /** The session with the server began anew: people are to be passed on to this one. */
  async #openAgain() {
    const { code, secret } = this.saved;
    const opened = await this.client.rpc("assist.open", { code, secret }).catch(() => null);
    if (opened && opened.code !== code) this.end("the server has forgotten it");
  }

  async end(reason = "") {
    await this.over("The session has ended", reason ? `Because ${reason}.` : this.saved.role === "share" ? "Nothing is shared any more." : "You have left it.", reason);
  }

  /** Tell the others, let go of everything. */
  async over(title, text, reason = "") {
    if (this.#isOver) return;
    this.#isOver = true;
    tab.write(null);
    say(title, text);
    view("over");
    notice("");
    byTestId("end").hidden = page("code-chip").hidden = true;
    const goodbye = this.side?.close(reason);
    await Promise.race([goodbye, new Promise((done) => setTimeout(done, GOODBYE))]);
    this.figures?.();
    this.lane?.close();
    this.conversation?.close();
    this.room?.leave();
    this.client.close();
  }
}

// ---- the door -------------------------------------------------------------------------------------------------------

let session = null;

function begin(saved, run) {
  const name = nameInput.value.trim().replace(/\s+/g, " ").slice(0, 32) || (saved.role === "help" ? "Helper" : "Guest");
  memory.write("name", name);
  notice("");
  session = new Session(name, { ...saved, name });
  globalThis.assist = session; // for a look from the console
  run(session).catch((error) => session.over("It did not work", `${error.message}.`));
}

page("share-form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin({}, (each) => each.share());
});
page("help-form").addEventListener("submit", (event) => {
  event.preventDefault();
  begin({ role: "help" }, (each) => each.help(plain(event.target.code.value)));
});
page("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = byTestId("chat-input");
  const text = input.value.trim();
  if (!text) return;
  input.value = "";
  session.conversation.say(text).catch((error) => notice(`Not sent: ${error.message}.`));
});

const before = tab.read();
nameInput.value = new URLSearchParams(location.search).get("name") ?? before?.name ?? memory.read("name", "");
byTestId("code-input").value = location.hash.length > 1 ? spelled(plain(location.hash)) : "";
if (before?.role === "share") begin(before, (each) => each.share());
else if (before?.role === "help") begin(before, (each) => each.help(before.code));
else if (byTestId("code-input").value) byTestId("code-input").focus();
