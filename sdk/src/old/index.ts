/**
 * For browsers that have neither WebSocket nor EventSource, fetch or Promise: `wirehop.connect(url, options)`.
 *
 * ES5 with callbacks, over polls (`./poll`): XMLHttpRequest, or scripts where that cannot cross origins. The session is the
 * same as everybody's: it goes on over the next wire after a lost one, nothing lost, nothing twice. One wire at a time.
 */

import { CONNECT_ID, FIRST_UNNUMBERED_ID } from "../messages.js";
import type { Command, Position, Push, Reply, ReplyError, SubscribeResult, WirePublication } from "../messages.js";
import { canCross, Poll } from "./poll.js";

type Done = (error: ReplyError | null, result?: unknown) => void;
type Take = (reply: Reply) => unknown;

interface Asked {
  command: Command;
  take: Take;
  done: Done;
}

interface Hearer {
  publication?(publication: WirePublication & { channel: string }): void;
  subscribed?(said: { recovered: boolean | undefined; position: Position | undefined }): void;
  unsubscribed?(said: { code: number; reason: string }): void;
}

interface Channel {
  hearer: Hearer;
  position: Position | undefined;
  isLive: boolean;
  /** Named in the connect that is under way. */
  isStated: boolean;
}

interface Options {
  token?: string | ((done: (token: string) => void) => void);
  /** Those that may be used, the best one first. */
  wires?: string[];
  data?: unknown;
}

const WAITING = 1_000;
const OUTCOME_UNKNOWN = 120;

class OldClient {
  state = "connecting";
  transport = "";
  id = "";
  private _hearers: Record<string, ((said: unknown) => void)[]> = {};
  private _channels: Record<string, Channel> = {};
  private _handlers: Record<string, (data: unknown, done: Done) => void> = {};
  private _wires: string[];
  private _poll: Poll | undefined;
  private _isConfirmed = false;
  private _confirm = 0;
  private _token = "";
  private _shown = "";
  private _next = 1;
  private _unnumbered = FIRST_UNNUMBERED_ID;
  private _limit = 256;
  private _sent: Record<string, Asked> = {};
  private _waiting: Asked[] = [];
  private _allUpTo = 0;
  private _answered: Record<string, boolean> = {};
  private _called = 0;
  private _attempt = 0;
  private _timer = 0;

  constructor(
    private _url: string,
    private _options: Options,
  ) {
    const wires = canCross(_url) ? ["long-poll", "jsonp", "short-poll"] : ["jsonp"];
    this._wires = _options.wires ? _options.wires.slice() : wires;
    const leave = () => this._bye();
    if (window.addEventListener) window.addEventListener("pagehide", leave);
    const begin = () => {
      this._timer = window.setTimeout(() => this._connect(), 0);
    };
    // a script that the server holds would hold up the page's load event
    const isLoading = this._wires[0] === "jsonp" && document.readyState !== "complete" && window.addEventListener;
    if (isLoading) window.addEventListener("load", begin);
    else begin();
  }

  /** Hear of "state", "message" and "moved". */
  on(name: string, run: (said: never) => void): void {
    (this._hearers[name] = this._hearers[name] || []).push(run as (said: unknown) => void);
  }

  /** Answer calls of the server: `run(data, done)`, then `done(error, result)`. */
  handle(method: string, run: (data: unknown, done: Done) => void): void {
    this._handlers[method] = run;
  }

  subscribe(name: string, hearer: Hearer | ((publication: WirePublication) => void), position?: Position): void {
    if (this._channels[name]) return;
    const isPlain = typeof hearer === "function";
    const channel: Channel = {
      hearer: isPlain ? { publication: hearer as (publication: WirePublication) => void } : (hearer as Hearer),
      position,
      isLive: false,
      isStated: false,
    };
    this._channels[name] = channel;
    this._askFor(name, channel);
  }

  unsubscribe(name: string): void {
    if (!this._channels[name]) return;
    delete this._channels[name];
    this._ask({ unsubscribe: { channel: name } }, nothing);
  }

  publish(channel: string, data: unknown, done?: Done, options?: { key?: string; event?: string }): void {
    const publish = { channel, data, wh: options || {} };
    this._ask({ publish }, (reply) => reply.publish!.wh, done);
  }

  rpc(method: string, data: unknown, done?: Done): void {
    this._ask({ rpc: { method, data } }, (reply) => reply.rpc!.data, done);
  }

  presence(channel: string, done: Done): void {
    this._ask({ presence: { channel } }, (reply) => reply.presence!.presence || {}, done);
  }

  history(channel: string, limit: number, done: Done): void {
    this._ask({ history: { channel, limit } }, (reply) => reply.history, done);
  }

  close(): void {
    this._bye();
    this._end(3000, "closed by the application");
  }

  // ---- wires

  private _connect(): void {
    const { token } = this._options;
    if (typeof token === "function") token((fresh) => this._open(fresh));
    else this._open(token);
  }

  private _open(token?: string): void {
    if (this.state === "closed" || this._poll) return;
    this._shown = this._token;
    this._isConfirmed = false;
    const positions: Record<string, Partial<Position>> = {};
    each(this._channels, (channel, name) => {
      channel.isStated = !!this._shown && channel.isLive;
      if (channel.isStated) positions[name] = channel.position || {};
    });
    const wh = this._shown ? { token: this._shown, positions, acked: this._acked() } : {};
    const connect = { token, data: this._options.data, name: "wirehop-old", version: __VERSION__, wh };
    this.transport = this._wires[0]!;
    this._poll = new Poll(this._url, this.transport, { id: CONNECT_ID, connect } as Command, {
      received: (reply) => this._received(reply),
      lost: (reason) => this._lost(0, reason),
      acked: () => this._acked(),
    });
  }

  private _lost(code: number, reason: string): void {
    if (this.state === "closed") return;
    this._drop();
    if (code === 3600) this._forget();
    else if ((code >= 3500 && code < 4000) || code >= 4500) return this._end(code, reason);
    if (this.state !== "live") this._wires.push(this._wires.shift()!); // perhaps another one gets through
    const most = Math.min(30, 2 ** this._attempt++);
    const delay = 0.5 + Math.random() * Math.max(0, most - 0.5);
    this._change("offline", code, reason);
    this._timer = window.setTimeout(() => this._connect(), delay * 1000);
  }

  private _drop(): void {
    if (this._poll) this._poll.close();
    this._poll = undefined;
    this._isConfirmed = false;
    this._confirm = 0;
    window.clearTimeout(this._timer);
  }

  private _bye(): void {
    if (this._poll && this._token) this._poll.close({ id: this._next, ping: {}, wh: { bye: true } });
  }

  private _end(code: number, reason: string): void {
    if (this.state === "closed") return;
    this._drop();
    this._change("closed", code, reason);
    const asked = this._waiting;
    each(this._sent, (one) => asked.push(one));
    this._sent = {};
    this._waiting = [];
    for (const { done } of asked) done({ code: OUTCOME_UNKNOWN, message: reason });
  }

  private _change(state: string, code = 0, reason = ""): void {
    if (state === this.state) return;
    this.state = state;
    this._say("state", { state, code, reason });
  }

  private _say(name: string, said: unknown): void {
    for (const run of this._hearers[name] || []) run(said);
  }

  // ---- what is asked

  private _ask(command: Command, take: Take, done: Done = nothing): void {
    if (this.state === "closed") done({ code: OUTCOME_UNKNOWN, message: "the client is closed" });
    else if (this._waiting.length >= WAITING) done({ code: 106, message: "too many requests wait" });
    else {
      this._waiting.push({ command, take, done });
      this._flush();
    }
  }

  private _askFor(name: string, channel: Channel): void {
    const { position } = channel;
    const at = position ? { recover: true, epoch: position.epoch, offset: position.offset } : {};
    this._ask(
      { subscribe: { channel: name, ...at } },
      (reply) => this._grant(name, reply.subscribe!),
      (error) => {
        if (!error || this._channels[name] !== channel || error.code === OUTCOME_UNKNOWN) return;
        if (error.temporary) window.setTimeout(() => this._channels[name] && this._askFor(name, channel), 1_000);
        else this._ended(name, error.code, error.message);
      },
    );
  }

  private _flush(): void {
    if (!this._isConfirmed) return;
    const commands: Command[] = [];
    while (this._waiting.length && this._next - 1 - this._allUpTo < this._limit) {
      const asked = this._waiting.shift()!;
      asked.command.id = this._next;
      this._sent[this._next++] = asked;
      commands.push(asked.command);
    }
    if (commands.length) this._poll!.send(commands);
  }

  private _acked(): number[] {
    const more: number[] = [];
    each(this._answered, (_, number) => more.push(+number));
    return this._allUpTo || more.length ? [this._allUpTo].concat(more) : [];
  }

  /** A new session: what was sent and not answered is unknown, but for what has a key. */
  private _forget(): void {
    const sent = this._sent;
    const again: Asked[] = [];
    this._sent = {};
    this._next = 1;
    this._allUpTo = this._called = 0;
    this._answered = {};
    this._token = "";
    each(sent, (asked) => {
      const { publish } = asked.command;
      if (publish && publish.wh && publish.wh.key) again.push(asked);
      else asked.done({ code: OUTCOME_UNKNOWN, message: "the outcome is not known" });
    });
    this._waiting = again.concat(this._waiting.filter((asked) => !asked.command.subscribe));
    each(this._channels, (channel, name) => {
      channel.isLive = false;
      this._askFor(name, channel);
    });
  }

  // ---- what comes

  private _received(reply: Reply): void {
    const id = reply.id || 0;
    const asked = this._sent[id];
    if (reply.push) this._pushed(reply.push);
    else if (id === CONNECT_ID) this._admitted(reply);
    else if (id && id === this._confirm) this._confirmed(reply);
    else if (asked) {
      delete this._sent[id];
      this._answered[id] = true;
      while (this._answered[this._allUpTo + 1]) delete this._answered[++this._allUpTo];
      if (reply.error) asked.done(reply.error);
      else asked.done(null, asked.take(reply));
      this._flush();
    }
  }

  private _admitted({ connect, error }: Reply): void {
    if (!connect) return this._lost(error && !error.temporary ? 3500 : 0, error ? error.message : "no connect result");
    const wh = connect.wh || {};
    const isResumed = !!this._shown && !!wh.resumed;
    if (this._shown && !isResumed) this._forget();
    this._token = wh.token || "";
    this._limit = wh.limit || this._limit;
    this.id = connect.client || "";
    const going = wh.subs || {};
    each(going, (said, name) => this._grant(name, said));
    each(this._channels, (channel, name) => {
      if (!channel.isStated || name in going || !isResumed) return;
      const code = (wh.ended || {})[name] || 2500;
      if (code < 2500) this._ended(name, code, "it ended meanwhile");
      else this._again(name, channel);
    });
    this._confirm = ++this._unnumbered;
    this._poll!.send([{ id: this._confirm, ping: {}, wh: { attach: wh.attach! } }]);
    if (this._shown) this._say("moved", { transport: this.transport, resumed: isResumed });
  }

  private _again(name: string, channel: Channel): void {
    channel.isLive = false;
    this._askFor(name, channel);
  }

  private _confirmed({ error }: Reply): void {
    if (error) return this._lost(0, error.message);
    this._confirm = this._attempt = 0;
    this._isConfirmed = true;
    const again: Command[] = [];
    each(this._sent, ({ command }) => again.push(command)); // rising: they are whole numbers
    if (again.length) this._poll!.send(again);
    this._change("live");
    this._flush();
  }

  private _grant(name: string, said: SubscribeResult): void {
    const channel = this._channels[name];
    if (!channel) return;
    const before = channel.position;
    const isSame = !!before && before.epoch === said.epoch;
    const recovered = before && (said.was_recovering ? !!said.recovered : false);
    if (said.epoch && !(isSame && (said.offset || 0) < before.offset)) {
      channel.position = { epoch: said.epoch, offset: said.offset || 0 };
    }
    channel.isLive = true;
    const { hearer, position } = channel;
    if (hearer.subscribed) hearer.subscribed({ recovered, position });
    for (const one of said.publications || []) {
      if (!isSame || (one.offset || 0) > before.offset) this._deliver(name, channel, one);
    }
  }

  private _deliver(name: string, { hearer }: Channel, one: WirePublication): void {
    if (hearer.publication) hearer.publication({ ...one, channel: name });
  }

  private _ended(name: string, code: number, reason: string): void {
    const channel = this._channels[name];
    delete this._channels[name];
    if (channel && channel.hearer.unsubscribed) channel.hearer.unsubscribed({ code, reason });
  }

  private _pushed(push: Push): void {
    const name = push.channel || "";
    const channel = this._channels[name];
    if (push.disconnect) this._lost(push.disconnect.code, push.disconnect.reason);
    else if (push.wh && push.wh.move) this._lost(0, "the server asks for another wire");
    else if (push.message) this._messaged(push);
    else if (!channel) return;
    else if (push.pub && channel.isLive) {
      const { offset } = push.pub;
      if (offset && channel.position) {
        if (offset <= channel.position.offset) return;
        channel.position = { epoch: channel.position.epoch, offset };
      }
      this._deliver(name, channel, push.pub);
    } else if (push.subscribe) this._grant(name, push.subscribe);
    else if (push.unsubscribe) {
      const { code, reason } = push.unsubscribe;
      if (code < 2500) this._ended(name, code, reason);
      else this._again(name, channel);
    }
  }

  private _messaged({ message, wh }: Push): void {
    const call = (wh && wh.call) || 0;
    if (!call) return this._say("message", message!.data);
    if (call <= this._called) return;
    this._called = call;
    const run = this._handlers[(wh && wh.method) || ""];
    const answer: Done = (error, data) =>
      this._ask({ rpc: { method: "wh.answer", data: error ? { call, error } : { call, data: data || null } } }, nothing);
    if (run) run(message!.data, answer);
    else answer({ code: 104, message: "this client has no such method" });
  }
}

function each<T>(record: Record<string, T>, run: (value: T, name: string) => void): void {
  for (const name of Object.keys(record)) run(record[name]!, name);
}

function nothing(): void {}

(window as unknown as { wirehop: unknown }).wirehop = {
  connect: (url: string, options?: Options) => new OldClient(url.replace(/\/$/, ""), options || {}),
};
