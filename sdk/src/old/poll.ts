/** Numbered polls (docs/poll.md), by XMLHttpRequest or as scripts. ES5. */

import { CONNECT_ID, FIRST_UNNUMBERED_ID } from "../messages.js";
import type { Command, Reply } from "../messages.js";

interface Answer {
  session?: string;
  batch?: number;
  replies?: Reply[];
  error?: { code: number; message: string };
}

type Finish = (answer?: Answer) => void;

export interface PollListener {
  received(reply: Reply): void;
  lost(reason: string): void;
  acked(): number[];
}

const WAIT = { "long-poll": 25, jsonp: 20, "short-poll": 0 } as Record<string, number>;
/** Characters of commands in one poll: a script's are in its address. */
const MOST = { jsonp: 1_500 } as Record<string, number>;
const PAUSES = [100, 500, 1_000, 2_000];
/** A poll that took longer was held by the server; what comes back sooner with nothing is not asked again at once. */
const HELD = 5_000;

let count = 0;

/** Whether XMLHttpRequest reaches it: everywhere at home, elsewhere since it knows CORS. */
export function canCross(url: string): boolean {
  const { protocol, host } = window.location;
  const isHome = !/^https?:/.test(url) || url.indexOf(protocol + "//" + host) === 0;
  return isHome || "withCredentials" in new XMLHttpRequest();
}

export class Poll {
  private _open: Command[] = [];
  private _session = "";
  private _nonce = "";
  private _isAdmitted = false;
  private _isOver = false;
  private _number = 0;
  private _ack = 0;
  private _running = 0;
  private _failures = 0;
  private _hasNews = false;
  private _timer = 0;
  private _interval = 500;
  private _ends: (() => void)[] = [];

  constructor(
    private _url: string,
    private _transport: string,
    private _connect: Command,
    private _listener: PollListener,
  ) {
    while (this._nonce.length < 24) this._nonce += Math.floor(Math.random() * 36).toString(36);
    this._poll();
  }

  send(commands: Command[]): void {
    this._open = this._open.concat(commands);
    this._hasNews = true;
    if (this._isAdmitted && this._running < 2) this._poll();
  }

  /** With a last command: delivered as the page goes. */
  close(bye?: Command): void {
    if (this._isOver) return;
    this._isOver = true;
    window.clearTimeout(this._timer);
    for (const end of this._ends) end();
    if (!bye || !this._session) return;
    const body = this._body(this._open.concat([bye]), 0);
    const { navigator } = window;
    if (this._transport === "jsonp" || !navigator.sendBeacon || !navigator.sendBeacon(this._url + "/connection/poll", body)) {
      this._travel(body, 1, () => undefined);
    }
  }

  private _body(commands: Command[], wait: number): string {
    const acked = this._listener.acked();
    if (commands[0] && acked.length) commands[0] = { ...commands[0], wh: { ...commands[0].wh, acked } };
    const session = this._session || undefined;
    const nonce = session ? undefined : this._nonce;
    return JSON.stringify({ session, nonce, poll: ++this._number, ack: this._ack, wait, commands });
  }

  private _carried(): Command[] {
    if (!this._session) return [this._connect];
    const chosen: Command[] = [];
    let left = MOST[this._transport] || 200_000;
    for (const command of this._isAdmitted ? this._open : []) {
      left -= JSON.stringify(command).length;
      if (chosen.length && left < 0) break;
      chosen.push(command);
    }
    return chosen;
  }

  private _poll(): void {
    window.clearTimeout(this._timer);
    this._hasNews = false;
    this._running++;
    const wait = WAIT[this._transport] || 0;
    const body = this._body(this._carried(), wait);
    const began = new Date().getTime();
    this._travel(body, wait + 10, (answer) => {
      this._running--;
      if (this._isOver) return;
      if (answer) this._came(answer, new Date().getTime() - began);
      else this._failed();
    });
  }

  private _failed(): void {
    const pause = PAUSES[this._failures++];
    if (!pause) this._lost("polls do not get through");
    else if (!this._running) this._later(pause);
  }

  private _later(pause: number): void {
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._poll(), pause);
  }

  private _lost(reason: string): void {
    this.close();
    this._listener.lost(reason);
  }

  private _came(answer: Answer, milliseconds: number): void {
    if (answer.error || !answer.session) return this._lost(answer.error ? answer.error.message : "this is no answer");
    this._session = answer.session;
    this._failures = 0;
    const replies = answer.replies || [];
    const isNew = !!replies.length && answer.batch === this._ack + 1;
    if (isNew) this._ack++;
    for (const reply of isNew ? replies : []) {
      this._accepted(reply);
      this._listener.received(reply);
      if (this._isOver) return;
    }
    this._interval = isNew ? 500 : Math.min(5_000, this._interval * 1.5);
    if (this._running && !this._hasNews) return; // another one is under way
    const isShort = !WAIT[this._transport];
    if (this._hasNews || (isNew && !isShort)) this._running < 2 && this._poll();
    else if (this._open.length) this._later(this._interval / 5);
    else this._later(!isShort && milliseconds > HELD ? 0 : this._interval);
  }

  /** Forget the commands that this reply shows to have been accepted. */
  private _accepted({ id = 0, wh, error }: Reply): void {
    if (id === CONNECT_ID) this._isAdmitted = !error;
    const below = Math.max(id < FIRST_UNNUMBERED_ID ? id + 1 : 0, (wh && wh.next) || 0);
    this._open = this._open.filter((each) => each.id !== id && each.id! >= below);
  }

  // ---- how it travels

  private _travel(body: string, seconds: number, finish: Finish): void {
    let isDone = false;
    let clean = () => {};
    const once: Finish = (answer) => {
      if (isDone) return;
      isDone = true;
      window.clearTimeout(timer);
      this._ends = this._ends.filter((each) => each !== stop);
      clean();
      finish(answer);
    };
    const stop = () => once();
    const timer = window.setTimeout(stop, seconds * 1000);
    this._ends.push(stop);
    clean = this._transport === "jsonp" ? this._script(body, once) : this._request(body, once);
  }

  private _request(body: string, once: Finish): () => void {
    const request = new XMLHttpRequest();
    request.onreadystatechange = () => {
      if (request.readyState !== 4) return;
      let answer: Answer | undefined;
      try {
        if (request.status && request.status < 500) answer = JSON.parse(request.responseText) as Answer;
      } catch (_) {
        // it failed
      }
      once(answer);
    };
    request.open("POST", this._url + "/connection/poll", true);
    request.send(body);
    return () => {
      request.onreadystatechange = null;
      request.abort();
    };
  }

  private _script(body: string, once: Finish): () => void {
    const name = "wirehop_old_" + ++count;
    const world = window as unknown as Record<string, unknown>;
    const script = document.createElement("script");
    const forget = () => {
      world[name] = undefined; // some browsers delete nothing of their window
    };
    world[name] = (answer: Answer) => {
      once(answer);
      forget();
    };
    script.onload = script.onerror = () => once(); // unless it has called
    const query = "?callback=" + name + "&body=" + encodeURIComponent(body);
    script.src = this._url + "/connection/jsonp" + query;
    (document.head || document.getElementsByTagName("head")[0]).appendChild(script);
    return () => {
      world[name] = forget; // it may come late
      if (script.parentNode) script.parentNode.removeChild(script);
    };
  }
}
