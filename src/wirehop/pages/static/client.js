// A small client for the demo pages: one session at a time, over any of five wires.
//
// It knows the session protocol (JSON lines) and the positions of its subscriptions. Changing the wire closes the
// session and opens another one from those positions; moving a session is the SDK's business, which replaces this file.
// The server begins where this file lies, at whatever prefix.

import { CONNECT_ID, WIRES, fullJitter } from "./wires.js";

export { TRANSPORTS } from "./wires.js";

const ANSWER_TIMEOUT = 15_000; // a command, and the connect itself
const STABLE_AFTER = 5_000; // a session this old starts the backoff anew
const OUTCOME_UNKNOWN = 120;

export class CommandError extends Error {
  constructor(code, message, temporary = false) {
    super(message);
    Object.assign(this, { code, temporary });
  }
}

const HERE = new URL(".", import.meta.url).href.replace(/\/$/, "");

const isFinal = (code) => (code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999);

/** Fires `state` events. `state.name`: connecting, live, catching up, offline (with `nextTry`) or closed (for good). */
class Client extends EventTarget {
  #subscriptions = new Map();
  #queue = []; // commands of a time without a session
  #pending = new Map(); // id → command that waits for its reply
  #attempt = 0;

  constructor({ url = HERE, transport = "websocket", name = "wirehop-pages", data, token } = {}) {
    super();
    Object.assign(this, { url, transport, name, data, token, state: { name: "connecting" } });
    addEventListener("online", () => this.state.name === "offline" && this.reconnect());
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (event) => event.persisted && this.reconnect());
    this.#open();
  }

  /** End the session, if any, and open a new one from the positions: another wire, another `data`, or just again. */
  reconnect({ transport = this.transport, data = this.data } = {}) {
    this.#drop();
    Object.assign(this, { transport, data });
    this.#attempt = 0;
    this.#open();
  }

  close() {
    this.#drop();
    this.#setState({ name: "closed", code: 1000, reason: "closed by the page" });
  }

  /**
   * `handlers`: subscribed({isRecovered, wasRecovering}), publication(publication), join(info, rev), leave(info, rev),
   * ended(error). `isRecovered` false after `wasRecovering`: something may be missing, read the history.
   */
  subscribe(channel, handlers, { joinLeave = false } = {}) {
    const subscription = { channel, handlers, joinLeave, position: null, isLive: false, attempt: 0 };
    this.#subscriptions.set(channel, subscription);
    if (this.#session) this.#subscribe(subscription);
  }

  unsubscribe(channel) {
    if (this.#subscriptions.delete(channel) && this.#session) this.#ask({ unsubscribe: { channel } }).catch(() => {});
    this.#announce();
  }

  publish(channel, data, { key } = {}) {
    return this.#ask({ publish: { channel, data, ...(key && { wh: { key } }) } });
  }

  history(channel, { limit = 100, reverse = false, since } = {}) {
    return this.#ask({ history: { channel, limit, reverse, ...(since && { since }) } }, { isRead: true });
  }

  presence(channel) {
    return this.#ask({ presence: { channel } }, { isRead: true });
  }

  rpc(method, data) {
    return this.#ask({ rpc: { method, data } });
  }

  send(data) {
    if (this.#session) this.#wire.send([{ id: this.#number++, send: { data } }]);
  }

  // ---- sessions

  #wire = null;
  #session = null; // the connect result, while there is one
  #number = 1;

  #open() {
    const wire = (this.#wire = WIRES[this.transport]());
    const hear = {
      replies: (replies) => wire === this.#wire && this.#receive(wire, replies),
      lost: (code, reason) => wire === this.#wire && this.#lost(code, reason),
    };
    this.#number = 1;
    this.#setState({ name: "connecting" });
    this.#expectSign(ANSWER_TIMEOUT);
    const connect = { name: this.name, data: this.data, ...(this.token && { token: this.token }), ...(wire.isNumbered && { wh: {} }) };
    wire.open(this.url, { id: CONNECT_ID, connect }, hear);
  }

  #connected(result) {
    this.#session = { ...result, since: Date.now() };
    for (const subscription of this.#subscriptions.values()) this.#subscribe(subscription);
    for (const command of this.#queue.splice(0)) this.#transmit(command);
    this.#announce();
  }

  #receive(wire, replies) {
    for (const reply of replies) {
      if (wire !== this.#wire) return; // one of the replies before ended this session
      if (reply.push) this.#push(reply.push);
      else if (reply.id === CONNECT_ID && reply.error) {
        const { code, message, temporary } = reply.error;
        this.#lost(code, message, { isFinal: !temporary });
      } else if (reply.id === CONNECT_ID) this.#connected(reply.connect ?? {});
      else if (reply.id) this.#answer(reply);
      else if (this.#session?.pong) wire.send([{}]);
    }
    if (this.#session && wire === this.#wire) this.#expectSign(1500 * (this.#session.ping ?? 0));
  }

  #expectSign(milliseconds) {
    clearTimeout(this.silence);
    if (milliseconds) this.silence = setTimeout(() => this.#lost(0, "the server fell silent"), milliseconds);
  }

  #drop() {
    const unsubscribes = [...this.#subscriptions.keys()].map((channel) => ({ id: this.#number++, unsubscribe: { channel } }));
    this.#wire?.close(unsubscribes);
    clearTimeout(this.silence);
    clearTimeout(this.retry);
    this.#wire = this.#session = null;
    for (const subscription of this.#subscriptions.values()) subscription.isLive = false;
    const unanswered = [...this.#pending.values()];
    this.#pending.clear();
    for (const command of unanswered) {
      if (command.isRead) this.#queue.push(command);
      else command.fail(new CommandError(OUTCOME_UNKNOWN, "the connection was lost before the answer came", true));
    }
  }

  #lost(code, reason, { isFinal: isOver = isFinal(code) } = {}) {
    if (this.#session && Date.now() - this.#session.since > STABLE_AFTER) this.#attempt = 0;
    this.#drop();
    if (isOver) return this.#setState({ name: "closed", code, reason });
    const delay = fullJitter(++this.#attempt);
    this.retry = setTimeout(() => this.#open(), delay);
    this.#setState({ name: "offline", code, reason, nextTry: Date.now() + delay });
  }

  #setState(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }

  #announce() {
    if (!this.#session) return;
    const name = [...this.#subscriptions.values()].every((one) => one.isLive) ? "live" : "catching up";
    if (name !== this.state.name) this.#setState({ name });
  }

  // ---- commands

  #ask(body, { isRead = false } = {}) {
    return new Promise((done, fail) => {
      const command = { body, done, fail, isRead };
      command.timer = setTimeout(() => {
        this.#queue = this.#queue.filter((one) => one !== command);
        this.#pending.delete(command.id);
        fail(new CommandError(OUTCOME_UNKNOWN, "no answer in time", true));
      }, ANSWER_TIMEOUT);
      if (this.#session) this.#transmit(command);
      else this.#queue.push(command);
    });
  }

  #transmit(command) {
    command.id = this.#number++;
    this.#pending.set(command.id, command);
    this.#wire.send([{ id: command.id, ...command.body }]);
  }

  /** Replies are handled in this turn, because the pushes behind a subscribe reply need what it says. */
  #answer({ id, error, ...result }) {
    const command = this.#pending.get(id);
    if (!command) return;
    this.#pending.delete(id);
    clearTimeout(command.timer);
    if (error) command.fail(new CommandError(error.code, error.message, error.temporary));
    else command.done(result[Object.keys(command.body)[0]] ?? {});
  }

  // ---- subscriptions

  #subscribe(subscription) {
    const { channel, joinLeave, position } = subscription;
    const request = { channel, recoverable: true, positioned: true, join_leave: joinLeave };
    if (position) Object.assign(request, { recover: true, ...position });
    const isCurrent = () => this.#subscriptions.get(channel) === subscription;
    subscription.isLive = false;
    this.#announce();
    this.#transmit({
      body: { subscribe: request },
      done: (result) => isCurrent() && this.#subscribed(subscription, result),
      fail: (error) => {
        if (!isCurrent() || !this.#session) return; // connected() subscribes again
        if (error.temporary) return this.#subscribeLater(subscription);
        this.#subscriptions.delete(channel);
        subscription.handlers.ended?.(error);
        this.#announce();
      },
    });
  }

  #subscribeLater(subscription) {
    subscription.isLive = false;
    this.#announce();
    const session = this.#session;
    setTimeout(() => {
      const isStillDue = this.#session === session && this.#subscriptions.get(subscription.channel) === subscription;
      if (isStillDue) this.#subscribe(subscription);
    }, fullJitter(++subscription.attempt));
  }

  #subscribed(subscription, result) {
    const { handlers, position } = subscription;
    const isPositioned = Boolean(result.recoverable || result.positioned);
    for (const publication of result.publications ?? []) {
      if (!result.recovered || publication.offset > position.offset) handlers.publication?.(publication);
    }
    subscription.position = isPositioned ? { epoch: result.epoch, offset: result.offset ?? 0 } : null;
    Object.assign(subscription, { isLive: true, attempt: 0 });
    handlers.subscribed?.({ isRecovered: Boolean(result.recovered), wasRecovering: position !== null });
    this.#announce();
  }

  #push({ channel, pub, join, leave, unsubscribe, disconnect }) {
    if (disconnect) return this.#lost(disconnect.code, disconnect.reason);
    const subscription = this.#subscriptions.get(channel);
    if (!subscription?.isLive) return; // left, or a remainder from before a gap: the subscribe reply brings it again
    if (pub) this.#published(subscription, pub);
    else if (join) subscription.handlers.join?.(join.info, join.rev ?? 0);
    else if (leave) subscription.handlers.leave?.(leave.info, leave.rev ?? 0);
    else if (unsubscribe?.code >= 2500) this.#subscribeLater(subscription);
    else if (unsubscribe) {
      this.#subscriptions.delete(channel);
      subscription.handlers.ended?.(new CommandError(unsubscribe.code, unsubscribe.reason));
    }
  }

  #published(subscription, publication) {
    const { position } = subscription;
    if (position && publication.offset) {
      if (publication.offset <= position.offset) return;
      if (publication.offset > position.offset + 1) {
        // Something is missing: leave the channel and enter it again where we stand.
        this.#ask({ unsubscribe: { channel: subscription.channel } }).catch(() => {});
        return this.#subscribe(subscription);
      }
      position.offset = publication.offset;
    }
    subscription.handlers.publication?.(publication);
  }
}

/** Open a session. `data` goes to the server's connect handler; `name` names this client in its log. */
export const connect = (options) => new Client(options);
