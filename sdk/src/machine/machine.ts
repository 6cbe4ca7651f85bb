/**
 * The client's conversation: one session over one wire after the other, nothing lost, nothing twice, all in order.
 *
 * The same machine as the Python client's (`src/wirehop/client/machine.py`, which tells the theory); both repeat
 * `protocol/vectors` step by step. It does no I/O, reads no clock and draws no random number: inputs take `now` in
 * seconds, `take()` gives the outputs, `deadline()` says when to call `tick(now)`.
 */

import { LIMIT_EXCEEDED, NO_PONG, OUTCOME_UNKNOWN, SUPERSEDED, mayReconnect } from "../codes.js";
import {
  CONNECT_ID,
  type ClientInfo,
  type Command,
  type ConnectRequest,
  type ConnectResult,
  type Move,
  type Position,
  type Push,
  type Reply,
  type ReplyError,
  type SubscribeResult,
} from "../messages.js";
import { Outgoing, marked, type Sent } from "./outgoing.js";
import type { MachineState, Output } from "./outputs.js";
import { Subscription } from "./subscription.js";

const FIRST_DELAY = 0.5;
const LONGEST_DELAY = 30;
/** A connection that lived this long, over however many wires, resets the backoff; a shorter one leaves two attempts counted. */
const STABLE_SECONDS = 3;
/** For a wire to bring its connect result, and for a trial to be confirmed. */
const TRIAL_SECONDS = 10;
/** For a wire that was left to say what it still has to say. */
const LEFT_SECONDS = 5;
/** A wire that is silent for so many heartbeats is lost. */
const SILENCE = 1.5;
const REFRESH_SHARE = 0.8;
const INSUFFICIENT_STATE = 2500;
const INSUFFICIENT_STATE_CLOSE = 3010;

type LinkState = "opening" | "connecting" | "trial" | "current" | "left";

/** One wire, from its opening to its end. */
interface Link {
  number: number;
  state: LinkState;
  /** The token that it was opened with. */
  shown: string;
  due?: number | undefined;
  silentAt?: number | undefined;
  attach: number;
  /** The id of the confirming ping while that is not answered. */
  confirm: number;
  result?: ConnectResult;
  ended: Record<string, number>;
  stated: string[];
  epochs: Record<string, string>;
}

export class Machine {
  state: MachineState = "idle";
  readonly subscriptions = new Map<string, Subscription>();
  readonly outgoing = new Outgoing();
  /** The newest of the session. */
  token = "";
  private _out: Output[] = [];
  private _links = new Map<number, Link>();
  private _current: Link | undefined;
  private _lastWire = 0;
  private _asked = new Map<number, string>();
  private _reading = new Map<number, string>();
  private _leaving: string[] = [];
  private _refreshing = 0;
  private _called = 0;
  private _lastCall = 0;
  private _attempt = 0;
  private _connectedAt = 0;
  private _isSynced = true;
  private _retryAt: number | undefined;
  private _askAt: number | undefined;
  private _refreshAt: number | undefined;
  private _moveAt: number | undefined;
  /** A newer wire than the current one was confirmed, and its answer may be lost. */
  private _mayHaveMoved = false;
  private _move: Move = {};

  constructor(
    private _request: ConnectRequest,
    private readonly _jitter: () => number,
  ) {}

  // ---- what drives it

  /** What has come of the inputs since the last call, in order. */
  take(): Output[] {
    if (this.outgoing.isEmpty !== this._isSynced) {
      this._isSynced = this.outgoing.isEmpty;
      this._out.push({ do: "synced", synced: this._isSynced });
    }
    const out = this._out;
    this._out = [];
    return out;
  }

  /** The number of the current wire; 0 for none. */
  get wire(): number {
    return this._current?.number ?? 0;
  }

  /** The last connect result. */
  get result(): ConnectResult | undefined {
    return this._current?.result;
  }

  /** When `tick` is due. */
  deadline(): number | undefined {
    const due = [this._retryAt, this._askAt, this._refreshAt, this._moveAt];
    for (const link of this._links.values()) due.push(link.due, link.silentAt);
    const at = Math.min(...due.filter((each) => each !== undefined));
    return at === Infinity ? undefined : at;
  }

  /** Time has passed. */
  tick(now: number): void {
    if (isDue(this._retryAt, now)) {
      this._retryAt = undefined;
      this._open();
    }
    for (const link of [...this._links.values()]) this._check(link, now);
    if (isDue(this._askAt, now)) {
      this._askAt = undefined;
      this._flush();
    }
    if (isDue(this._refreshAt, now)) {
      this._refreshAt = undefined;
      this._out.push({ do: "refresh_wanted" });
    }
    if (isDue(this._moveAt, now)) {
      this._moveAt = undefined;
      this.move(this._move.to ?? [], now, this._move.reason || "the server asks for it");
    }
  }

  private _check(link: Link, now: number): void {
    if (link.state === "left") {
      if (isDue(link.due, now)) this._close(link);
    } else if (isDue(link.due, now)) {
      this._out.push({ do: "close", wire: link.number, bye: false });
      this.lost(link.number, 0, "no answer in time", now);
    } else if (isDue(link.silentAt, now)) {
      this._out.push({ do: "close", wire: link.number, bye: false });
      this.lost(link.number, NO_PONG, "nothing came for 1.5 heartbeats", now);
    }
  }

  /** Begin. */
  connect(): void {
    if (this.state === "idle") this._open();
  }

  /** End for good. */
  close(): void {
    if (this.state === "closed") return;
    const links = [...this._links.values()];
    // the server executes commands on the current one, or on one that it was told to make current
    const heard = links.filter((each) => each === this._current || (each.state === "trial" && each.confirm));
    for (const link of this.token ? heard : []) {
      const bye: Command = { id: this.outgoing.next, ping: {}, wh: { bye: true } };
      const commands = marked([bye], attachOf(link), this.outgoing.acked);
      this._out.push({ do: "transmit", wire: link.number, commands });
    }
    for (const link of links) this._close(link, heard.includes(link));
    this._end(3000, "closed by the application");
  }

  /** Go on over another wire, beside the current one until that is confirmed. */
  move(to: string[], now: number, reason = ""): void {
    void now;
    if (!this._current || this.state !== "connected" || !this.token || this._trial) return;
    for (const link of [...this._links.values()]) {
      if (link.state === "left") this._close(link); // before a third is opened
    }
    this._openLink(to, true, reason);
  }

  /** The wire is open: connect, and where the session is a new one, all subscribes behind it. */
  opened(wire: number, now: number): void {
    const link = this._links.get(wire);
    if (link?.state !== "opening") return;
    link.state = "connecting";
    link.due = now + TRIAL_SECONDS;
    if (!this._current) this.state = "connecting";
    const held = [...this.subscriptions.values()];
    if (link.shown) {
      const positions: Record<string, Partial<Position>> = {};
      for (const each of held) if (each.wasLive && each.state === "live") positions[each.channel] = each.stated();
      link.stated = Object.keys(positions);
      const acked = this.outgoing.acked;
      const wh = { ...(acked.length && { acked }), token: link.shown, positions };
      this._transmitRaw(link, [{ id: CONNECT_ID, connect: { ...this._request, wh } }]);
      return;
    }
    const subs: Record<string, object> = {};
    for (const each of held) if (each.isByServer && each.position) subs[each.channel] = each.request();
    const connect = { ...this._request, ...(Object.keys(subs).length && { subs }), wh: {} };
    const asks = held.filter((each) => !each.isByServer).map((each) => this._ask(each));
    this._transmitRaw(link, [{ id: CONNECT_ID, connect }, ...asks]);
  }

  /** The wire is gone, with a code if it had one. */
  lost(wire: number, code: number, reason: string, now: number): void {
    const link = this._links.get(wire);
    this._links.delete(wire);
    if (!link || link.state === "left") return;
    if (this._current && link !== this._current) {
      this._trialFailed(link, code, reason);
      return;
    }
    const wasCurrent = link === this._current;
    this._current = undefined;
    this._askAt = this._refreshAt = this._moveAt = undefined;
    const trial = this._trial;
    if (code === SUPERSEDED && wasCurrent && !trial && !this._mayHaveMoved) {
      this._forgetSession(); // somebody else (a duplicated tab) goes on with it
    } else if (!mayReconnect(code) && code !== SUPERSEDED) {
      this._end(code, reason);
      return;
    }
    if (!this.token) this._forgetSession();
    if (wasCurrent && this.state === "connected") {
      this._attempt = now - this._connectedAt >= STABLE_SECONDS ? 0 : Math.min(this._attempt, 2);
    }
    if (trial?.state === "trial" && code === SUPERSEDED) return; // the server has taken the new one; its answer comes
    if (trial) {
      this._change(trial.state === "opening" ? "opening" : "connecting", code, reason);
      return;
    }
    const most = Math.min(LONGEST_DELAY, 2 * FIRST_DELAY * 2 ** this._attempt);
    const delay = FIRST_DELAY + this._jitter() * (most - FIRST_DELAY);
    this._attempt = Math.min(this._attempt + 1, 16);
    this._retryAt = now + delay;
    this._change("waiting", code, reason, delay);
  }

  /** Connect at once instead of at the next try: the network is back, say. */
  hurry(now: number): void {
    if (this._retryAt !== undefined) this._retryAt = now;
  }

  /** It may be dead (the page was frozen): it has `seconds` to answer a ping. */
  suspect(now: number, seconds: number): void {
    if (!this._current || this.state !== "connected") return;
    const { silentAt = Infinity } = this._current;
    this._current.silentAt = Math.min(silentAt > now ? silentAt : Infinity, now + seconds); // a thaw comes late
    this._transmit(this._current, [{ id: this.outgoing.unnumbered(), ping: {} }]);
  }

  /** After a reload: the session of before, whose commands are not known any more. */
  restore(token: string): void {
    this.token = token;
  }

  /** One reply or push. */
  received(wire: number, reply: Reply, now: number): void {
    const link = this._links.get(wire);
    if (!link || link.state === "opening") return;
    if (link.state !== "left") heard(link, now);
    const id = reply.id ?? 0;
    if (reply.push) this._pushed(link, reply.push, now);
    else if (!id && !reply.error) {
      if (link.result?.pong) this._out.push({ do: "pong", wire });
    } else if (id === CONNECT_ID) {
      if (link.state === "connecting") this._admitted(link, reply, now);
    } else if (id && id === link.confirm) this._confirmed(link, reply, now);
    else if (id && id === this._refreshing) {
      this._refreshing = 0;
      if (reply.refresh?.expires && reply.refresh.ttl) this._refreshAt = now + REFRESH_SHARE * reply.refresh.ttl;
    } else this._answered(link, reply, now);
  }

  // ---- what the application asks

  /** Want the channel, from `position` if one is known. Again: nothing happens. */
  subscribe(channel: string, position?: Position, joinLeave = false, isRestored = false, isByServer = false): void {
    const known = this.subscriptions.get(channel);
    if (known) return;
    const subscription = new Subscription(channel, position, joinLeave, isByServer);
    if (isRestored && this.token && this.state === "idle") {
      subscription.state = "live"; // it was, before the reload
      subscription.wasLive = true;
    }
    this.subscriptions.set(channel, subscription);
    this._flush(true);
  }

  /** Do not want it any more. */
  unsubscribe(channel: string): void {
    const subscription = this.subscriptions.get(channel);
    if (!subscription) return;
    this.subscriptions.delete(channel);
    let isAsked = false;
    for (const [number, asked] of this._asked) {
      if (asked === channel) isAsked = this._asked.delete(number);
    }
    if (isAsked || (subscription.state === "live" && this._links.size)) {
      this._leaving.push(channel);
      this._flush(true);
    }
  }

  /** Ask something; the number under which `answered` comes. Too much: error 106. */
  request(command: Command): number {
    const call = ++this._lastCall;
    if (this.state === "closed") this._fail(call, OUTCOME_UNKNOWN, "the client is closed");
    else if (!this.outgoing.add(call, command)) this._fail(call, LIMIT_EXCEEDED, "too many requests wait");
    else this._flush();
    return call;
  }

  /** Nobody waits for this request any more. One that was not sent yet never is. */
  abandon(call: number): void {
    this.outgoing.abandon(call);
  }

  /** The answer to a call of the server. */
  answer(number: number, data: unknown, error?: ReplyError): void {
    const said = error ? { call: number, error } : { call: number, data: data ?? null };
    if (!this.outgoing.add(0, { rpc: { method: "wh.answer", data: said } })) {
      this._called = Math.min(this._called, number - 1); // it is asked again after a move
    }
    this._flush();
  }

  /** The credential for the next connects. */
  useToken(token: string): void {
    this._request = { ...this._request, token };
  }

  /** A fresh token for the session, and for every connect from now on. */
  refreshed(token: string): void {
    this.useToken(token);
    if (this._current && this.state === "connected") {
      this._refreshing = this.outgoing.unnumbered();
      this._transmit(this._current, [{ id: this._refreshing, refresh: { token } }]);
    }
  }

  // ---- wires

  private get _trial(): Link | undefined {
    return [...this._links.values()].find(({ state }) => state !== "current" && state !== "left");
  }

  private _change(state: MachineState, code = 0, reason = "", delay = 0): void {
    this.state = state;
    this._out.push({ do: "state", state, code, reason, delay });
  }

  private _open(): void {
    this._change("opening");
    this._openLink([], false, "");
  }

  private _openLink(to: string[], move: boolean, reason: string): void {
    const number = ++this._lastWire;
    const link: Link = {
      number,
      state: "opening",
      shown: this.token,
      attach: 0,
      confirm: 0,
      ended: {},
      stated: [],
      epochs: {},
    };
    this._links.set(number, link);
    this._out.push({ do: "open", wire: number, to, move, reason });
  }

  private _close(link: Link, bye = false): void {
    this._links.delete(link.number);
    this._out.push({ do: "close", wire: link.number, bye });
  }

  private _trialFailed(link: Link, code: number, reason: string): void {
    this._out.push({ do: "trial_failed", wire: link.number, code, reason });
    this._flush();
  }

  private _admitted(link: Link, reply: Reply, now: number): void {
    const result = reply.connect;
    if (reply.error || !result) {
      const error = reply.error ?? { code: 100, message: "no connect result", temporary: true };
      this._out.push({ do: "close", wire: link.number, bye: false });
      if (error.temporary || this._current) this.lost(link.number, 3000, error.message, now);
      else this._end(error.code, error.message);
      return;
    }
    link.result = result;
    heard(link, now);
    const wh = result.wh;
    const isResumed = !!link.shown && !!wh?.resumed;
    if (link.shown && !isResumed && this._current) {
      this._close(link, true); // the old wire is all there is of the session
      this.token = "";
      this._trialFailed(link, INSUFFICIENT_STATE_CLOSE, "the server does not know the session");
      return;
    }
    this.token = wh?.token ?? "";
    link.attach = wh?.attach ?? 0;
    if (isResumed) {
      link.state = "trial";
      link.due = now + TRIAL_SECONDS;
      link.ended = wh?.ended ?? {};
      for (const [channel, said] of Object.entries(wh?.subs ?? {})) {
        if (this.subscriptions.has(channel) || !link.stated.includes(channel)) this._given(link, channel, said);
        link.epochs[channel] = said.epoch ?? "";
      }
      this._confirm(link);
      return;
    }
    if (link.shown) this._forgetSession(this.token);
    if (wh?.limit) this.outgoing.limit = wh.limit;
    this._becomeCurrent(link, now);
    if (link.shown) this._out.push({ do: "moved", wire: link.number, resumed: false });
    const subs = result.subs ?? {};
    for (const [channel, said] of Object.entries(subs)) this._given(link, channel, said);
    for (const each of [...this.subscriptions.values()]) {
      if (each.isByServer && !(each.channel in subs)) this._drop(each, 2000, "the server does not subscribe it any more");
    }
    if (link.attach && this.token) this._confirm(link);
    this._flush();
  }

  private _confirm(link: Link): void {
    this._mayHaveMoved ||= link.state === "trial";
    link.confirm = this.outgoing.unnumbered();
    this._transmit(link, [{ id: link.confirm, ping: {} }]);
  }

  /** The answer to the confirming ping: of the first wire, or of one that takes over with it. */
  private _confirmed(link: Link, reply: Reply, now: number): void {
    link.confirm = 0;
    if (reply.error) {
      this._out.push({ do: "close", wire: link.number, bye: false });
      this.lost(link.number, 3000, reply.error.message, now);
      return;
    }
    const accepted = reply.wh?.next ?? 1;
    if (link.state !== "trial") {
      this._accepted(this.outgoing.accepted(accepted));
      return;
    }
    this.outgoing.startAt(accepted);
    this._accepted(this.outgoing.accepted(accepted));
    this._becomeCurrent(link, now);
    this._out.push({ do: "moved", wire: link.number, resumed: true });
    this._settleSubscriptions(link);
    for (const [number, channel] of this._asked) {
      const subscription = this.subscriptions.get(channel);
      const sent = this.outgoing.sent.get(number);
      if (subscription && sent) sent.command = this._asking(subscription, number);
    }
    this._transmit(link, this.outgoing.again());
    this._flush();
    this._readPresence();
  }

  private _becomeCurrent(link: Link, now: number): void {
    const old = this._current;
    this._current = link;
    this._mayHaveMoved = false;
    if (old) {
      old.state = "left";
      old.due = now + LEFT_SECONDS;
      old.silentAt = undefined;
    }
    link.state = "current";
    link.due = undefined;
    if (link.result?.expires && link.result.ttl) this._refreshAt = now + REFRESH_SHARE * link.result.ttl;
    if (this.state !== "connected") {
      this._connectedAt = now;
      this._change("connected");
    }
  }

  /** What was named and does not go on has ended, or is asked for anew. */
  private _settleSubscriptions(link: Link): void {
    const going = link.result?.wh?.subs ?? {};
    for (const channel of link.stated) {
      const subscription = this.subscriptions.get(channel);
      if (!(channel in going) && subscription?.state === "live") {
        this._ended(subscription, link.ended[channel] ?? INSUFFICIENT_STATE, "it ended meanwhile");
      }
    }
    for (const each of this.subscriptions.values()) {
      if (each.state === "live" && !(each.channel in link.epochs)) each.state = "wanted";
    }
  }

  /** Numbers begin anew, and what was in flight is not known to be done. */
  private _forgetSession(token = ""): void {
    const { safe, lost } = this.outgoing.beginAnew();
    this.token = token;
    this.outgoing.putBack(safe);
    this._asked.clear();
    this._reading.clear();
    this._leaving = [];
    this._called = 0;
    for (const sent of lost) if (sent.call) this._fail(sent.call, OUTCOME_UNKNOWN, "the outcome is not known");
    for (const each of this.subscriptions.values()) {
      each.state = "wanted";
      each.rev = 0; // of presence; the next session may be another server's
    }
  }

  // ---- commands

  private _transmitRaw(link: Link, commands: Command[]): void {
    this._out.push({ do: "transmit", wire: link.number, commands });
  }

  private _transmit(link: Link, commands: Command[]): void {
    if (commands.length) this._transmitRaw(link, marked(commands, attachOf(link), this.outgoing.acked));
  }

  /** Send what may go: nothing while a trial takes over, and of (un)subscribes nothing while one is open. */
  private _flush(withConnect = false): void {
    let trial = this._trial;
    let link = this._current;
    if (withConnect && !link && trial?.state === "connecting") {
      link = trial.shown ? undefined : trial;
      trial = undefined;
    }
    if (!link || trial?.confirm) return;
    const commands: Command[] = [];
    const isConnected = this.state === "connected";
    if (!trial) {
      for (const channel of this._leaving) commands.push(this.outgoing.number({ unsubscribe: { channel } }));
      this._leaving = [];
      if (this._askAt === undefined) {
        for (const each of this.subscriptions.values()) {
          if (each.state === "wanted" && (isConnected || !each.isByServer)) commands.push(this._ask(each));
        }
      }
    }
    if (isConnected) commands.push(...this.outgoing.ready());
    this._transmit(link, commands);
  }

  private _asking(subscription: Subscription, id: number): Command {
    subscription.state = "asked";
    return { id, subscribe: subscription.request() };
  }

  private _ask(subscription: Subscription): Command {
    const command = this.outgoing.number(this._asking(subscription, 0));
    this._asked.set(command.id!, subscription.channel);
    return command;
  }

  private _answered(link: Link, reply: Reply, now: number): void {
    const number = reply.id ?? 0;
    const sent = this.outgoing.sent.get(number);
    if (!sent) return;
    const isAboutSubscriptions = sent.command.subscribe || sent.command.unsubscribe;
    if (isAboutSubscriptions && link.state === "left") return; // it is sent again on the current wire
    this._accepted(this.outgoing.answered(number));
    const asked = this._asked.get(number);
    const read = this._reading.get(number);
    if (asked !== undefined) {
      this._asked.delete(number);
      this._subscribed(link, asked, reply, now);
    } else if (read !== undefined) {
      this._reading.delete(number);
      this._presenceRead(read, reply);
    } else if (sent.call) this._out.push({ do: "answered", call: sent.call, reply });
    this._flush();
  }

  private _accepted(sends: Sent[]): void {
    for (const sent of sends) if (sent.call) this._out.push({ do: "answered", call: sent.call, reply: {} });
  }

  private _fail(call: number, code: number, message: string): void {
    this._out.push({ do: "answered", call, reply: { error: { code, message } } });
  }

  // ---- channels

  private _given(link: Link, channel: string, said: SubscribeResult): void {
    let subscription = this.subscriptions.get(channel);
    if (!subscription) {
      this.subscriptions.set(channel, (subscription = new Subscription(channel, undefined, false, true)));
    }
    this._grant(link, subscription, said);
  }

  private _grant(link: Link, subscription: Subscription, said: SubscribeResult): void {
    const { channel, wasLive, isByServer: byServer } = subscription;
    let recovered = wasLive && said.was_recovering ? !!said.recovered : undefined;
    if (wasLive && subscription.position && !said.was_recovering) recovered = false;
    link.epochs[channel] = said.epoch ?? "";
    const fresh = subscription.granted(said.epoch ?? "", said.offset ?? 0, said.publications ?? []);
    const { position } = subscription;
    this._out.push({ do: "subscribed", channel, recovered, position, byServer, count: fresh.length });
    for (const publication of fresh) this._out.push({ do: "deliver", channel, publication });
  }

  private _subscribed(link: Link, channel: string, reply: Reply, now: number): void {
    const subscription = this.subscriptions.get(channel);
    if (!subscription) return;
    if (reply.error?.temporary) {
      subscription.state = "wanted";
      this._askAt = now + FIRST_DELAY + this._jitter();
    } else if (reply.error) this._drop(subscription, reply.error.code, reply.error.message);
    else if (reply.subscribe) {
      this._grant(link, subscription, reply.subscribe);
      if (subscription.joinLeave && !(subscription.members && subscription.rev)) this._readPresence(subscription);
    }
  }

  private _drop(subscription: Subscription, code: number, reason: string): void {
    this.subscriptions.delete(subscription.channel);
    subscription.state = "ended";
    this._out.push({ do: "unsubscribed", channel: subscription.channel, code, reason });
  }

  private _ended(subscription: Subscription, code: number, reason: string): void {
    if (code >= INSUFFICIENT_STATE && code < 3000) subscription.state = "wanted";
    else this._drop(subscription, code, reason);
  }

  // ---- pushes

  private _pushed(link: Link, push: Push, now: number): void {
    const channel = push.channel ?? "";
    if (push.disconnect) {
      this._out.push({ do: "close", wire: link.number, bye: false });
      this.lost(link.number, push.disconnect.code, push.disconnect.reason, now);
    } else if (push.wh?.move) {
      this._move = push.wh.move;
      this._moveAt = now + (this._jitter() * (push.wh.move.spread_ms ?? 0)) / 1000;
    } else if (push.message) {
      const { call = 0, method = "" } = push.wh ?? {};
      if (!call) this._out.push({ do: "message", data: push.message.data });
      else if (call > this._called) {
        this._called = call; // else it was asked before, and is or will be answered
        this._out.push({ do: "call", number: call, method, data: push.message.data });
      }
    } else if (push.pub) {
      const subscription = this.subscriptions.get(channel);
      if (subscription?.state !== "live") return;
      const { position } = subscription;
      const offset = push.pub.offset ?? 0;
      if (offset && position && link.epochs[channel] !== position.epoch) return; // of a log that is not there any more
      if (subscription.received(offset)) this._out.push({ do: "deliver", channel, publication: push.pub });
    } else if (link.state === "left") return; // what is said of subscriptions is the current wire's
    else if (push.subscribe) this._given(link, channel, push.subscribe);
    else if (push.refresh) {
      this._refreshAt = push.refresh.expires ? now + REFRESH_SHARE * (push.refresh.ttl ?? 0) : undefined;
    } else if (push.unsubscribe) {
      const subscription = this.subscriptions.get(channel);
      if (subscription?.state === "live") {
        this._ended(subscription, push.unsubscribe.code, push.unsubscribe.reason);
        this._flush();
      }
    } else if (push.join) this._presence(channel, "join", push.join.info, push.join.rev ?? 0);
    else if (push.leave) this._presence(channel, "leave", push.leave.info, push.leave.rev ?? 0);
  }

  // ---- presence

  private _presence(channel: string, change: "join" | "leave", info: ClientInfo, rev: number): void {
    const subscription = this.subscriptions.get(channel);
    if (!subscription || (rev && rev <= subscription.rev)) return;
    subscription.rev = Math.max(subscription.rev, rev);
    const client = info.client ?? "";
    if (subscription.members) {
      if (change === "join") subscription.members[client] = info;
      else delete subscription.members[client];
    }
    this._out.push({ do: "presence", channel, change, info });
  }

  /** Read who is there, where joins and leaves are watched: some of them may have been missed. */
  private _readPresence(only?: Subscription): void {
    for (const { channel, joinLeave, state } of only ? [only] : this.subscriptions.values()) {
      if (joinLeave && state === "live" && this._current) {
        const command = this.outgoing.number({ presence: { channel } });
        this._reading.set(command.id!, channel);
        this._transmit(this._current, [command]);
      }
    }
  }

  private _presenceRead(channel: string, reply: Reply): void {
    const subscription = this.subscriptions.get(channel);
    const rev = reply.presence?.rev ?? 0;
    if (!subscription || !reply.presence || rev < subscription.rev) return;
    const members = reply.presence.presence ?? {};
    const before = subscription.members;
    subscription.members = { ...members };
    subscription.rev = rev;
    if (!before) return;
    for (const [client, info] of Object.entries(members)) {
      if (!(client in before)) this._out.push({ do: "presence", channel, change: "join", info });
    }
    for (const [client, info] of Object.entries(before)) {
      if (!(client in members)) this._out.push({ do: "presence", channel, change: "leave", info });
    }
  }

  // ---- the end

  private _end(code: number, reason: string): void {
    for (const call of this.outgoing.calls()) this._fail(call, OUTCOME_UNKNOWN, reason);
    for (const link of [...this._links.values()]) this._close(link);
    this._current = undefined;
    this._asked.clear();
    this._reading.clear();
    this._leaving = [];
    this._retryAt = this._askAt = this._refreshAt = this._moveAt = undefined;
    this._change("closed", code, reason);
  }
}

function isDue(at: number | undefined, now: number): boolean {
  return at !== undefined && now >= at;
}

/** Something came. */
function heard(link: Link, now: number): void {
  if (link.result?.ping) link.silentAt = now + SILENCE * link.result.ping;
}

/** What to name on a wire until the server has answered the confirming ping. */
function attachOf(link: Link): number {
  return link.confirm ? link.attach : 0;
}
