/**
 * The bookkeeping of the tab that has the connection: who wants which channel, what each was given, whose request is which.
 *
 * It does no I/O: it hears tabs (`heard`), the connection (`output`, `drained`) and who is gone, says `Down`, and asks of the
 * connection. A channel is subscribed once, from the lowest position of those who want it; it ends with the last of them.
 * Who wants a channel that is live begins at its position; who has an older one gets what is between from history, all of
 * it or `recovered: false`. What is published while history is read is kept for it (`TAIL` at most).
 */

import { OUTCOME_UNKNOWN } from "../codes.js";
import type { Conversation, Settle } from "../conversation.js";
import type { Output } from "../machine/outputs.js";
import type { Command, Position, Reply, WirePublication } from "../messages.js";
import type { Down, Known, Standing, Up, Want } from "./messages.js";
import type { Called } from "./tab.js";

/** Publications of a channel that are kept while somebody reads its history. */
const TAIL = 1000;
const PAGE = 1000;
const METHOD_NOT_FOUND = 104;

type Bare<M> = M extends unknown ? Omit<M, "term"> : never;

interface Wish extends Want {
  state: "waiting" | "reading" | "given";
}

interface Grant {
  recovered: boolean | undefined;
  from: Position | undefined;
  left: number;
  publications: WirePublication[];
}

interface Held {
  name: string;
  isLive: boolean;
  position: Position | undefined;
  joinLeave: boolean;
  isByServer: boolean;
  /** Of class `latest`: who begins gets all values. */
  isLatest: boolean;
  wishes: Map<string, Wish>;
  grant: Grant | undefined;
  readers: number;
  /** Undefined: more than could be kept. */
  tail: WirePublication[] | undefined;
}

export class Leader {
  readonly tabs = new Map<string, Set<string>>();
  private readonly _channels = new Map<string, Held>();
  private readonly _running = new Map<number, string>();
  private _known: Known = { token: "", term: 0, version: 0 };
  private _version = 0;
  private _isStarted = false;
  private _lastStanding = "";

  /** `calls` are those that its tab has heard of; `later` runs what follows an answer behind what came before it. */
  constructor(
    public term: number,
    private readonly _own: Conversation,
    private readonly _say: (message: Down) => void,
    private readonly _calls: Map<number, Called>,
    private readonly _later: (step: () => void) => void = (step) => step(),
  ) {}

  /** That it leads; tabs say hello. */
  announce(): void {
    this._tell({ down: "lead", standing: this._standing() });
  }

  /** Enough have said hello: go on where the last leader was. `kept`: the token of a reload, if there was none. */
  start(kept: string): void {
    this._isStarted = true;
    const token = this._known.token || kept;
    if (token) this._own.restore(token);
    for (const each of this._channels.values()) this._subscribe(each);
    this._own.connect();
  }

  // ---- tabs

  heard(message: Up): void {
    if (message.up === "hello") return this._hello(message);
    if (message.term !== this.term || !this.tabs.has(message.tab)) return;
    const { tab } = message;
    switch (message.up) {
      case "want":
        return this._want(tab, message.want);
      case "unwant":
        return this._unwant(tab, message.channel);
      case "ask":
        return this._ask(message.command, (reply) => {
          if (this.tabs.has(tab)) this._tell({ down: "answered", tab, ask: message.ask, reply });
        });
      case "offer":
        return void this.tabs.get(tab)!.add(message.method);
      case "answer":
        if (this._running.get(message.number) !== tab) return;
        this._running.delete(message.number);
        return this._own.answer(message.number, message.data, message.error);
      case "move":
        return this._own.move(message.to, message.reason);
      case "use":
        return this._own.use(message.wires);
      case "cut":
        return this._own.cut();
      case "wake":
        return this._own.wake();
      case "bye":
        return this.gone(tab);
    }
  }

  /** The tab is closed, or crashed, or asleep. */
  gone(tab: string): void {
    this.tabs.delete(tab);
    for (const channel of [...this._channels.keys()]) this._unwant(tab, channel);
    for (const [number, runs] of this._running) if (runs === tab) this._lose(number);
  }

  private _hello({ tab, term, wants, methods, calls, known }: Extract<Up, { up: "hello" }>): void {
    if (term > this.term) this.term = term + 1; // it heard of one whose clock was ahead
    if (term !== this.term) return this.announce();
    if (known.term > this._known.term || (known.term === this._known.term && known.version > this._known.version)) {
      this._known = known;
    }
    this.tabs.set(tab, new Set(methods));
    for (const number of calls) this._calls.set(number, { tab });
    const named = new Set(wants.map(({ channel }) => channel));
    for (const channel of [...this._channels.keys()]) if (!named.has(channel)) this._unwant(tab, channel);
    for (const want of wants) this._want(tab, want);
    if (!this._isStarted) return;
    for (const each of this._channels.values()) {
      if (each.isByServer && each.isLive && !each.wishes.has(tab)) this._give(tab, each, this._addGiven(tab, each));
    }
  }

  // ---- channels

  private _want(tab: string, want: Want): void {
    let held = this._channels.get(want.channel);
    if (held?.wishes.get(tab)?.number === want.number) return;
    const wish: Wish = { ...want, state: "waiting" };
    if (!held) {
      held = this._add(want.channel, want.isByServer);
      held.position = want.position;
      held.joinLeave = want.joinLeave;
      held.wishes.set(tab, wish);
      if (this._isStarted) this._subscribe(held);
      return;
    }
    held.wishes.set(tab, wish);
    const isMore = want.joinLeave && !held.joinLeave;
    held.joinLeave ||= want.joinLeave;
    if (!this._isStarted) {
      const { position } = want;
      if (position && (!held.position || (position.epoch === held.position.epoch && position.offset < held.position.offset))) {
        held.position = position;
      }
    } else if (isMore) {
      this._own.unsubscribe(held.name); // joins and leaves are asked for with the subscription
      held.isLive = false;
      held.grant = undefined;
      this._own.subscribe(held.name, held.position, true);
    } else if (held.isLive) this._give(tab, held, wish);
  }

  private _add(name: string, isByServer: boolean): Held {
    const held: Held = {
      name,
      isLive: false,
      position: undefined,
      joinLeave: false,
      isByServer,
      isLatest: false,
      wishes: new Map(),
      grant: undefined,
      readers: 0,
      tail: [],
    };
    this._channels.set(name, held);
    return held;
  }

  private _addGiven(tab: string, { name: channel, wishes }: Held): Wish {
    const nothing = { position: undefined, joinLeave: false, wasLive: false };
    const wish: Wish = { channel, number: 0, ...nothing, isByServer: true, state: "waiting" };
    wishes.set(tab, wish);
    return wish;
  }

  private _subscribe({ name, position, joinLeave, isByServer, wishes }: Held): void {
    const wasLive = [...wishes.values()].some((each) => each.wasLive);
    this._own.subscribe(name, position, joinLeave, wasLive, isByServer);
  }

  private _unwant(tab: string, channel: string): void {
    const held = this._channels.get(channel);
    if (!held?.wishes.delete(tab) || held.wishes.size) return;
    this._channels.delete(channel);
    if (this._isStarted) this._own.unsubscribe(channel);
  }

  /** Tell one tab that the channel is live for it; `grant` is what has just come from the server. */
  private _give(tab: string, held: Held, wish: Wish, grant?: Grant): void {
    const { position: at } = held;
    const { position: has } = wish;
    const came = grant?.publications ?? [];
    if (!has || !at) {
      const isFirst = !!grant && !grant.from;
      if (!has && held.isLatest && !isFirst) return this._read(tab, held, wish);
      return this._given(tab, held, wish, has ? false : undefined, isFirst ? came : []);
    }
    const isWithin = grant?.from?.epoch === has.epoch && grant.from.offset <= has.offset;
    if (has.epoch !== at.epoch) return this._given(tab, held, wish, false, came);
    if (has.offset >= at.offset) return this._given(tab, held, wish, true, []);
    if (isWithin && grant.recovered) return this._given(tab, held, wish, true, came);
    if (isWithin && grant.from!.offset === has.offset) return this._given(tab, held, wish, false, came);
    this._read(tab, held, wish);
  }

  private _given(
    tab: string,
    { name: channel, position, isByServer: byServer }: Held,
    wish: Wish,
    recovered: boolean | undefined,
    publications: WirePublication[],
  ): void {
    wish.state = "given";
    this._tell({ down: "given", tab, number: wish.number, channel, recovered, position, byServer, publications });
  }

  private _read(tab: string, held: Held, wish: Wish): void {
    wish.state = "reading";
    held.readers++;
    const { position: since, channel } = wish;
    this._ask({ history: { channel, limit: PAGE, ...(since && { since }) } }, (reply) => {
      const { tail } = held;
      if (!--held.readers) held.tail = [];
      if (this._channels.get(channel) !== held || held.wishes.get(tab) !== wish || wish.state !== "reading") return;
      if (!held.isLive) wish.state = "waiting";
      else this._finish(tab, held, wish, reply, tail);
    });
  }

  /** History is here: all that the tab has not, or the truth. */
  private _finish(tab: string, held: Held, wish: Wish, reply: Reply, tail: WirePublication[] | undefined): void {
    const { position: at } = held;
    const found = reply.history;
    const isSame = !!at && found?.epoch === at.epoch;
    const publications = isSame && tail ? joined(found.publications ?? [], tail) : [];
    const { position: has } = wish;
    if (held.isLatest || !has) return this._given(tab, held, wish, has ? false : undefined, publications);
    const first = has.offset + 1;
    const missed = publications.filter(({ offset = 0 }) => offset >= first);
    const isWhole = isSame && has.epoch === at.epoch && missed.every(({ offset }, index) => offset === first + index);
    if (isWhole && has.offset + missed.length >= at.offset) this._given(tab, held, wish, true, missed);
    else this._given(tab, held, wish, false, []);
  }

  // ---- the connection

  /** What its machine has to tell. */
  output(output: Output): void {
    switch (output.do) {
      case "subscribed": {
        const held = this._channels.get(output.channel) ?? this._add(output.channel, output.byServer);
        held.isByServer = output.byServer;
        if (!held.wishes.size) for (const tab of this.tabs.keys()) this._addGiven(tab, held);
        held.grant = { recovered: output.recovered, from: held.position, left: output.count, publications: [] };
        if (output.recovered === undefined && !held.position && output.count) held.isLatest = true;
        held.position = output.position;
        if (!output.count) this._granted(held, held.grant);
        return;
      }
      case "deliver":
        return this._deliver(output.channel, output.publication);
      case "unsubscribed": {
        const held = this._channels.get(output.channel);
        this._channels.delete(output.channel);
        const { channel, code, reason } = output;
        for (const [tab, { number }] of held?.wishes ?? []) {
          this._tell({ down: "ended", tab, number, channel, code, reason });
        }
        return;
      }
      case "call":
        return this._call(output.number, output.method, output.data);
      case "moved":
        if (!output.resumed) {
          this._calls.clear();
          this._running.clear();
        }
        this._stand();
        return this._tell({ down: "told", output });
      case "state": {
        const { code, reason, delay } = output;
        return this._stand(code, reason, delay);
      }
      case "presence":
      case "message":
      case "trial_failed":
        return this._tell({ down: "told", output });
    }
  }

  /** The connection has changed, perhaps: say what is new of it. */
  drained(): void {
    if (this._isStarted) this._stand();
  }

  private _granted(held: Held, grant: Grant): void {
    held.grant = undefined;
    held.isLive = true;
    const { recovered, publications } = grant;
    const { name: channel, position, isByServer: byServer } = held;
    this._keep(held, publications);
    this._tell({ down: "subscribed", channel, recovered, position, byServer, publications });
    for (const [tab, wish] of held.wishes) if (wish.state === "waiting") this._give(tab, held, wish, grant);
  }

  private _deliver(channel: string, publication: WirePublication): void {
    const held = this._channels.get(channel);
    if (!held) return;
    const { grant } = held;
    if (grant) {
      grant.publications.push(publication);
      if (!--grant.left) this._granted(held, grant);
      return;
    }
    if (publication.key) held.isLatest = true;
    const { offset = 0 } = publication;
    if (offset && held.position) held.position = { epoch: held.position.epoch, offset };
    this._keep(held, [publication]);
    this._tell({ down: "deliver", channel, epoch: held.position?.epoch ?? "", publication });
  }

  private _keep(held: Held, publications: WirePublication[]): void {
    if (!held.readers || !held.tail) return;
    held.tail.push(...publications);
    if (held.tail.length > TAIL) held.tail = undefined;
  }

  /** The first tab that has the method answers; who began one keeps it. */
  private _call(number: number, method: string, data: unknown): void {
    const known = this._calls.get(number);
    const tab = known?.tab ?? [...this.tabs].find(([, methods]) => methods.has(method))?.[0];
    if (!tab) return this._own.answer(number, null, { code: METHOD_NOT_FOUND, message: `no tab has a method ${method}` });
    this._running.set(number, tab);
    if (this.tabs.has(tab)) this._tell({ down: "call", tab, number, method, data });
    else this._lose(number);
  }

  private _lose(number: number): void {
    this._running.delete(number);
    this._own.answer(number, null, { code: OUTCOME_UNKNOWN, message: "the tab that ran it is gone" });
  }

  private _ask(command: Command, settle: Settle): void {
    this._own.request(command, (reply) => this._later(() => settle(reply)));
  }

  private _standing(code = 0, reason = "", delay = 0): Standing {
    const { state, isCatchingUp, id, transport, moves, token } = this._own;
    const wires = this._own.wires();
    return { state, code, reason, delay, isCatchingUp, id, transport, moves, token, version: ++this._version, wires };
  }

  private _stand(code = 0, reason = "", delay = 0): void {
    const { state, isCatchingUp, id, transport, moves, token } = this._own;
    const now = [state, isCatchingUp, id, transport, moves, token, delay].join();
    if (now === this._lastStanding) return;
    this._lastStanding = now;
    this._tell({ down: "stand", standing: this._standing(code, reason, delay) });
  }

  private _tell(message: Bare<Down>): void {
    this._say({ ...message, term: this.term } as Down);
  }
}

/** Both, each offset once, in order. */
function joined(first: WirePublication[], second: WirePublication[]): WirePublication[] {
  const found = new Map<number, WirePublication>();
  for (const each of [...first, ...second]) if (each.offset) found.set(each.offset, each);
  return [...found.values()].sort((a, b) => a.offset! - b.offset!);
}
