/**
 * One connection for all tabs: this tab's part in it, in a browser.
 *
 * The Web Lock `NAME` makes the leader; each tab holds `NAME:tab:ID`, whose release tells the leader that it is gone, however
 * it went. Tabs speak over the BroadcastChannel `NAME`. A page that is put to sleep lets go of all three, and joins again
 * when it wakes: nothing is sent to one that cannot listen.
 */

import type { Conversation, Settle } from "../conversation.js";
import type { MachineState, Output } from "../machine/outputs.js";
import type { Command, Position, ReplyError } from "../messages.js";
import type { WiresReport } from "../report.js";
import type { Clock } from "../wire.js";
import { Leader } from "./leader.js";
import type { Down, Up } from "./messages.js";
import { Tab } from "./tab.js";

/** A new leader waits so long for the others to say what they have. */
const GATHER_SECONDS = 0.3;

export interface World {
  name: string;
  clock: Clock;
  locks: LockManager;
  hear: (output: Output) => void;
  /** A connection of this tab's own. */
  own: (hear: (output: Output) => void, drained: () => void) => Conversation;
}

/** Join the tabs of this name. It fails where locks are forbidden. */
export async function share(world: World): Promise<Conversation> {
  const shared = new SharedConversation(world);
  await shared.join();
  return shared;
}

class SharedConversation implements Conversation {
  private readonly _tab: Tab;
  private _channel: BroadcastChannel | undefined;
  private _leader: Leader | undefined;
  private _own: Conversation | undefined;
  private _kept = "";
  private _isOver = false;
  /** Ends this tab's membership: its locks, and those that it waits for. */
  private _left = new AbortController();
  private _local: (() => void)[] | undefined;

  constructor(private readonly _world: World) {
    const series = uniqueId();
    this._tab = new Tab(
      "",
      (ask) => `${series}.${ask}`,
      (message) => this._up(message),
      (output) => this._tell(output),
    );
  }

  get state(): MachineState {
    return this._tab.standing.state;
  }
  get isCatchingUp(): boolean {
    return this._tab.isCatchingUp;
  }
  get id(): string {
    return this._tab.standing.id;
  }
  get transport(): string {
    return this._tab.standing.transport;
  }
  get moves(): number {
    return this._tab.standing.moves;
  }
  get token(): string {
    return this._tab.known.token || this._kept;
  }
  wires(): WiresReport {
    const found = this._own?.wires() ?? this._tab.standing.wires;
    return { ...found, role: this._leader ? "leader" : "follower" };
  }
  positionOf(channel: string): Position | undefined {
    return this._tab.positionOf(channel);
  }
  positions(): Record<string, Position> {
    return this._tab.positions();
  }
  duplicatesOf(channel: string): number {
    return this._tab.duplicatesOf(channel);
  }
  restore(token: string): void {
    this._kept = token;
  }
  connect(): void {
    this._compete();
  }
  subscribe(channel: string, position?: Position, joinLeave?: boolean): void {
    this._tab.subscribe(channel, position, joinLeave);
  }
  unsubscribe(channel: string): void {
    this._tab.unsubscribe(channel);
  }
  request(command: Command, settle: Settle): void {
    this._tab.request(plain(command), settle);
  }
  answer(number: number, data: unknown, error?: ReplyError): void {
    this._tab.answer(number, plain(data ?? null), error);
  }
  offer(method: string): void {
    this._tab.offer(method);
  }
  move(to: string[], reason: string): void {
    this._tab.urge({ up: "move", to, reason });
  }
  use(wires: string[]): void {
    this._tab.urge({ up: "use", wires });
  }
  cut(): void {
    this._tab.urge({ up: "cut" });
  }

  wake(): void {
    if (this._isOver) return;
    if (this._channel) this._tab.urge({ up: "wake" });
    else void this.join().then(() => this._compete());
  }

  doubt(): void {
    this._own?.doubt();
  }

  sleep(): void {
    this._resign();
  }

  leave(isKept: boolean): void {
    const own = this._leader?.tabs.size === 1 && !isKept ? this._own : undefined;
    this._resign(!own);
    own?.close();
  }

  retire(): void {
    this._resign();
  }

  close(): void {
    this._isOver = true;
    this._tab.close(3000, "closed by the application");
    this.leave(false);
  }

  // ---- membership

  /** Hold a lock of its own, so that others notice when this tab is gone, and listen. */
  async join(): Promise<void> {
    const left = (this._left = new AbortController());
    const id = uniqueId();
    const channel = (this._channel = new BroadcastChannel(this._world.name));
    await new Promise<void>((joined, failed) => {
      this._hold(`${this._world.name}:tab:${id}`, left.signal, joined).catch(failed);
    });
    if (left.signal.aborted) return;
    channel.onmessage = ({ data }: MessageEvent<Up | Down>) => this._run(() => this._received(data));
    this._run(() => this._tab.join(id));
  }

  /** Wait for the lock that makes the leader. */
  private _compete(): void {
    const { signal } = this._left;
    if (signal.aborted) return;
    void this._hold(this._world.name, signal, () => void this._lead(signal)).catch(ignored);
  }

  /** Until the tab leaves. */
  private async _hold(name: string, signal: AbortSignal, held: () => void): Promise<void> {
    await this._world.locks.request(name, { signal }, async () => {
      held();
      await new Promise<void>((end) => {
        if (signal.aborted) end();
        else signal.addEventListener("abort", () => end(), { once: true });
      });
    });
  }

  private async _lead(signal: AbortSignal): Promise<void> {
    const { clock, name, locks } = this._world;
    const term = Math.max(this._tab.term + 1, Math.floor(clock.wall() * 1000));
    const own = this._world.own(
      (output) => this._run(() => this._leader?.output(output)),
      () => this._run(() => this._leader?.drained()),
    );
    const leader = new Leader(
      term,
      own,
      (message) => this._down(message),
      new Map(this._tab.calls),
      (step) => this._run(() => this._leader === leader && step()),
    );
    this._own = own;
    this._leader = leader;
    this._run(() => leader.announce());
    const prefix = `${name}:tab:`;
    const { held = [] } = await locks.query();
    const living = held.map((each) => each.name ?? "").filter((each) => each.startsWith(prefix));
    await this._gathered(living.map((each) => each.slice(prefix.length)), signal);
    if (signal.aborted) return;
    this._run(() => leader.start(this._kept));
  }

  /** All of them have said hello, or they had their time. */
  private async _gathered(tabs: string[], signal: AbortSignal): Promise<void> {
    const { clock } = this._world;
    const until = clock.now() + GATHER_SECONDS;
    while (!signal.aborted && clock.now() < until && tabs.some((each) => !this._leader?.tabs.has(each))) {
      await new Promise<void>((resolve) => clock.after(0.01, resolve));
    }
  }

  /** Let go of everything; others go on with the session, if there are any. */
  private _resign(isRetired = true): void {
    if (!this._channel) return;
    if (!this._leader) this._tab.urge({ up: "bye" });
    if (isRetired) this._own?.retire();
    this._own = this._leader = undefined;
    this._channel.onmessage = null;
    this._channel.close();
    this._channel = undefined;
    this._left.abort();
  }

  // ---- messages

  private _tell(output: Output): void {
    this._world.hear(output);
    if (output.do !== "state" || output.state !== "closed" || this._isOver) return;
    this._isOver = true;
    this._run(() => this._resign());
  }

  private _up(message: Up): void {
    if (this._leader) this._run(() => this._hear(message));
    else this._channel?.postMessage(message);
  }

  private _down(message: Down): void {
    this._channel?.postMessage(message);
    this._run(() => this._tab.heard(message));
  }

  private _received(message: Up | Down): void {
    if ("down" in message) this._tab.heard(message);
    else if (this._leader) this._hear(message);
  }

  private _hear(message: Up): void {
    const leader = this._leader;
    if (!leader) return;
    const isKnown = leader.tabs.has(message.tab);
    leader.heard(message);
    if (!isKnown && leader.tabs.has(message.tab)) this._watch(leader, message.tab);
  }

  /** Its lock can be had when it is gone. */
  private _watch(leader: Leader, tab: string): void {
    if (tab === this._tab.id) return;
    const name = `${this._world.name}:tab:${tab}`;
    void this._world.locks
      .request(name, { mode: "shared", signal: this._left.signal }, () => this._run(() => leader.gone(tab)))
      .catch(ignored);
  }

  /** One after the other, also what follows from within. */
  private _run(step: () => void): void {
    if (this._local) return void this._local.push(step);
    const steps = (this._local = [step]);
    try {
      for (let next = steps.shift(); next; next = steps.shift()) next();
    } finally {
      this._local = undefined;
    }
  }
}

/** The wait for a lock was given up. */
function ignored(): void {}

/** As it travels: what cannot is left out, and what the page changes afterwards does not matter. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function uniqueId(): string {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((each) => each.toString(36)).join("");
}
