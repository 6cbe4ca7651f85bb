/**
 * One tab of several that share a connection: what it wants and asked, and what it has.
 *
 * It does no I/O: it says `Up`, hears `Down`, and tells the client `Output`s, as a machine of its own would. A leader is
 * known by its term. With a new one the tab says everything again: its channels with the positions that it has, and what it
 * asked and may be asked twice (a publish has a key, so it is done once); what may have been done already fails with 120.
 * What it has not sent waits until the leader is connected. Publications are taken while the channel is live, and each
 * offset once.
 */

import { LIMIT_EXCEEDED, OUTCOME_UNKNOWN } from "../codes.js";
import type { Settle } from "../conversation.js";
import { BYTES, COMMANDS, sizeOf } from "../machine/outgoing.js";
import type { Output } from "../machine/outputs.js";
import type { Command, Position, ReplyError, WirePublication } from "../messages.js";
import type { Down, Known, Standing, Up, Want } from "./messages.js";

/** Commands of one tab that the leader has and has not answered. */
export const WINDOW = 256;
/** Calls of the server that are remembered. */
const CALLS = 256;

interface Held extends Want {
  isLive: boolean;
  duplicates: number;
}

interface Asked {
  ask: number;
  command: Command;
  size: number;
  settle: Settle;
  isSaid: boolean;
}

/** A call of the server: who runs it, and where that is here, what it came to. */
export interface Called {
  tab: string;
  isMine?: boolean;
  answer?: { data: unknown; error: ReplyError | undefined };
}

/** Each form of `M` without what the sender adds. */
type Bare<M, K extends string> = M extends unknown ? Omit<M, K> : never;

export class Tab {
  term = 0;
  standing: Standing;
  known: Known = { token: "", term: 0, version: 0 };
  readonly calls = new Map<number, Called>();
  private readonly _held = new Map<string, Held>();
  private readonly _methods = new Set<string>();
  private readonly _asked = new Map<number, Asked>();
  private _bytes = 0;
  private _said = 0;
  private _last = 0;
  private _session = "";
  private _isClosed = false;

  /** `keyOf` gives the idempotency key of a publish that has none, by its number. */
  constructor(
    public id: string,
    private readonly _keyOf: (ask: number) => string,
    private readonly _say: (message: Up) => void,
    private readonly _tell: (output: Output) => void,
  ) {
    const wires = { current: "", why: "", wires: [], role: "follower" as const, notShared: "" };
    const nothing = { code: 0, reason: "", delay: 0, isCatchingUp: false, id: "", transport: "", moves: 0, token: "" };
    this.standing = { state: "opening", ...nothing, version: 0, wires };
  }

  get isCatchingUp(): boolean {
    return this.standing.isCatchingUp || [...this._held.values()].some((each) => !each.isLive);
  }

  positionOf(channel: string): Position | undefined {
    return this._held.get(channel)?.position;
  }

  duplicatesOf(channel: string): number {
    return this._held.get(channel)?.duplicates ?? 0;
  }

  positions(): Record<string, Position> {
    const found: Record<string, Position> = {};
    for (const { channel, position } of this._held.values()) if (position) found[channel] = position;
    return found;
  }

  // ---- what the page asks

  subscribe(channel: string, position?: Position, joinLeave = false): void {
    if (this._held.has(channel) || this._isClosed) return;
    const want: Want = {
      channel,
      number: ++this._last,
      position,
      joinLeave,
      wasLive: position !== undefined,
      isByServer: false,
    };
    this._held.set(channel, { ...want, isLive: false, duplicates: 0 });
    this._up({ up: "want", want });
  }

  unsubscribe(channel: string): void {
    if (this._held.delete(channel)) this._up({ up: "unwant", channel });
  }

  request(command: Command, settle: Settle): void {
    const size = sizeOf(command);
    if (this._isClosed) return settle(failed(OUTCOME_UNKNOWN, "the client is closed"));
    if (this._asked.size >= COMMANDS || this._bytes + size > BYTES) {
      return settle(failed(LIMIT_EXCEEDED, "too many requests wait"));
    }
    const ask = ++this._last;
    this._asked.set(ask, { ask, command: keyed(command, () => this._keyOf(ask)), size, settle, isSaid: false });
    this._bytes += size;
    if (this._asked.size === 1) this._tell({ do: "synced", synced: false });
    this._flush();
  }

  answer(number: number, data: unknown, error?: ReplyError): void {
    const called = this.calls.get(number);
    if (called) called.answer = { data: data ?? null, error };
    this._up({ up: "answer", number, data: data ?? null, error });
  }

  offer(method: string): void {
    this._methods.add(method);
    this._up({ up: "offer", method });
  }

  /** Something that is worth nothing to a later leader. */
  urge(message: Bare<Extract<Up, { up: "move" | "use" | "cut" | "wake" | "bye" }>, "tab" | "term">): void {
    this._up(message);
  }

  /** Under another name: it was gone, or begins. The leader is found anew. */
  join(id: string): void {
    this.id = id;
    this.term = 0;
    this._hello();
  }

  /** No more. */
  close(code: number, reason: string): void {
    if (this._isClosed) return;
    this._isClosed = true;
    for (const asked of [...this._asked.values()]) this._settle(asked, failed(OUTCOME_UNKNOWN, reason));
    this.standing = { ...this.standing, state: "closed", code, reason, delay: 0, transport: "" };
    this._tell({ do: "state", state: "closed", code, reason, delay: 0 });
  }

  // ---- what the leader says

  heard(message: Down): void {
    if (this._isClosed) return;
    if (message.down === "lead") return this._led(message.term, message.standing);
    if (message.term !== this.term || ("tab" in message && message.tab !== this.id && message.down !== "call")) return;
    switch (message.down) {
      case "stand":
        return this._stand(message.standing);
      case "given":
        return this._given(message);
      case "subscribed": {
        const held = this._held.get(message.channel);
        if (held?.isLive) this._grant(held, message.recovered, message.position, message.publications);
        return;
      }
      case "deliver":
        return this._deliver(message.channel, message.epoch, message.publication);
      case "ended": {
        const held = this._held.get(message.channel);
        if (held?.number !== message.number) return;
        this._held.delete(message.channel);
        const { channel, code, reason } = message;
        return this._tell({ do: "unsubscribed", channel, code, reason });
      }
      case "answered": {
        const asked = this._asked.get(message.ask);
        if (asked) this._settle(asked, message.reply);
        return this._flush();
      }
      case "call":
        return this._called(message.tab, message.number, message.method, message.data);
      case "told":
        return this._told(message.output);
    }
  }

  private _led(term: number, standing: Standing): void {
    if (term <= this.term) {
      if (term < this.term) this._hello(); // its clock is behind; it takes a higher one
      return;
    }
    this.term = term;
    for (const asked of [...this._asked.values()]) {
      if (asked.isSaid && !isRepeatable(asked.command)) {
        this._settle(asked, failed(OUTCOME_UNKNOWN, "the tab with the connection is gone"));
      }
      asked.isSaid = false;
    }
    this._said = 0;
    for (const held of this._held.values()) held.isLive = false;
    this._hello();
    this._stand(standing);
  }

  private _hello(): void {
    const wants = [...this._held.values()].map(({ isLive: _live, duplicates: _duplicates, ...want }) => want);
    const calls = [...this.calls].filter(([, { isMine }]) => isMine).map(([number]) => number);
    this._up({ up: "hello", wants, methods: [...this._methods], calls, known: this.known }, true);
  }

  private _stand(standing: Standing): void {
    const before = this.standing;
    this.standing = standing;
    if (standing.token) this.known = { token: standing.token, term: this.term, version: standing.version };
    if (standing.id && standing.id !== this._session) {
      if (this._session) this.calls.clear(); // they were another session's
      this._session = standing.id;
    }
    const { state, code, reason, delay } = standing;
    if (state === "closed") {
      this.standing = before;
      return this.close(code, reason);
    }
    this._tell({ do: "state", state, code, reason, delay });
    this._flush();
  }

  private _given(message: Extract<Down, { down: "given" }>): void {
    const { channel, number, byServer } = message;
    let held = this._held.get(channel);
    if (!held && !number) {
      const want = { channel, number, position: undefined, joinLeave: false, wasLive: false, isByServer: byServer };
      this._held.set(channel, (held = { ...want, isLive: false, duplicates: 0 }));
    }
    if (held?.number === number && !held.isLive) {
      this._grant(held, message.recovered, message.position, message.publications);
    }
  }

  private _grant(
    held: Held,
    recovered: boolean | undefined,
    position: Position | undefined,
    publications: WirePublication[],
  ): void {
    const { channel, position: before, isByServer: byServer } = held;
    const isSame = !!before && before.epoch === position?.epoch;
    const fresh = publications.filter(({ offset = 0 }) => !isSame || !offset || offset > before.offset);
    held.duplicates += publications.length - fresh.length;
    if (position) {
      // history may have read further than the leader has heard
      const offset = Math.max(position.offset, isSame ? before.offset : 0, fresh[fresh.length - 1]?.offset ?? 0);
      held.position = { epoch: position.epoch, offset };
    }
    held.isLive = held.wasLive = true;
    this._tell({ do: "subscribed", channel, recovered, position: held.position, byServer, count: fresh.length });
    for (const publication of fresh) this._tell({ do: "deliver", channel, publication });
  }

  private _deliver(channel: string, epoch: string, publication: WirePublication): void {
    const held = this._held.get(channel);
    if (!held?.isLive) return;
    const { offset = 0 } = publication;
    if (offset && held.position) {
      if (epoch !== held.position.epoch) return;
      if (offset <= held.position.offset) {
        held.duplicates++;
        return;
      }
      held.position = { epoch, offset };
    }
    this._tell({ do: "deliver", channel, publication });
  }

  /** All remember who runs it, so that a later leader does not let another tab run it again. */
  private _called(tab: string, number: number, method: string, data: unknown): void {
    const known = this.calls.get(number);
    const isMine = tab === this.id;
    if (known) {
      const elsewhere = { data: null, error: { code: OUTCOME_UNKNOWN, message: "the tab that ran it is gone" } };
      const answer = known.isMine ? known.answer : elsewhere;
      if (isMine && answer) this._up({ up: "answer", number, ...answer });
      return;
    }
    this.calls.set(number, { tab, isMine });
    if (this.calls.size > CALLS) this.calls.delete(this.calls.keys().next().value!);
    if (isMine) this._tell({ do: "call", number, method, data });
  }

  private _told(output: Output): void {
    if (output.do === "presence" && !this._held.get(output.channel)?.joinLeave) return;
    this._tell(output);
  }

  // ---- inside

  private _settle(asked: Asked, reply: Parameters<Settle>[0]): void {
    this._asked.delete(asked.ask);
    this._bytes -= asked.size;
    if (asked.isSaid) this._said--;
    asked.settle(reply);
    if (!this._asked.size) this._tell({ do: "synced", synced: true });
  }

  private _flush(): void {
    if (!this.term || this.standing.state !== "connected" || this._said >= WINDOW) return;
    for (const asked of this._asked.values()) {
      if (asked.isSaid) continue;
      asked.isSaid = true;
      this._said++;
      this._up({ up: "ask", ask: asked.ask, command: asked.command });
      if (this._said >= WINDOW) return;
    }
  }

  private _up(message: Bare<Up, "tab" | "term">, isFirst = false): void {
    if (this.term || isFirst) this._say({ ...message, tab: this.id, term: this.term } as Up);
  }
}

function failed(code: number, message: string): { error: ReplyError } {
  return { error: { code, message } };
}

/** Done twice it is as if done once. */
function isRepeatable(command: Command): boolean {
  return !command.rpc && !command.send;
}

function keyed(command: Command, key: () => string): Command {
  const { publish } = command;
  if (!publish || publish.wh?.key) return command;
  return { ...command, publish: { ...publish, wh: { ...publish.wh, key: key() } } };
}
