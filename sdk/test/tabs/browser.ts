/** Tabs, their lock and their messages, step by step in an order that chance decides: the browser of `shared.test.ts`. */

import type { Output } from "../../src/machine/outputs.js";
import type { Position, Reply } from "../../src/messages.js";
import { Leader } from "../../src/shared/leader.js";
import type { Down, Up } from "../../src/shared/messages.js";
import { Tab } from "../../src/shared/tab.js";
import { FakeConnection, type Server } from "./server.js";

/** A small generator of numbers from 0 to 1: the same seed, the same run. */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export interface Request {
  kind: "publish" | "rpc";
  data: string;
  reply?: Reply;
  settled: number;
}

/** What a page has seen of one channel since it asked for it. */
export interface Seen {
  from: Position | undefined;
  offsets: number[];
  /** Up to this offset something may be missing: it was said. */
  gaps: number[];
  isLive: boolean;
}

export class Page {
  readonly tab: Tab;
  readonly seen = new Map<string, Seen>();
  readonly requests: Request[] = [];
  leader: Leader | undefined;
  connection: FakeConnection | undefined;
  isStarted = false;
  isGone = false;
  private _steps: (() => void)[] | undefined;

  constructor(
    readonly browser: Browser,
    readonly name: string,
    answers: boolean,
  ) {
    this.tab = new Tab(
      "",
      (ask) => `${name}.${ask}`,
      (message) => this._up(message),
      (output) => this._told(output),
    );
    if (answers) this.tab.offer("method");
    this.join();
  }

  join(): void {
    this.run(() => this.tab.join(`${this.name}#${++this.browser.incarnations}`));
    this.browser.waiting.push(this);
  }

  subscribe(channel: string, position?: Position): void {
    if (this.seen.has(channel)) return;
    this.seen.set(channel, { from: position, offsets: [], gaps: [], isLive: false });
    this.run(() => this.tab.subscribe(channel, position));
  }

  unsubscribe(channel: string): void {
    if (this.seen.delete(channel)) this.run(() => this.tab.unsubscribe(channel));
  }

  ask(kind: "publish" | "rpc", channel: string, data: string): void {
    const request: Request = { kind, data, settled: 0 };
    this.requests.push(request);
    const command = kind === "publish" ? { publish: { channel, data } } : { rpc: { method: "m", data } };
    this.run(() =>
      this.tab.request(command, (reply) => {
        request.reply = reply;
        request.settled++;
      }),
    );
  }

  lead(): void {
    const { server } = this.browser;
    const term = Math.max(this.tab.term + 1, ++this.browser.wall);
    const connection = new FakeConnection(
      server,
      (output) => this.run(() => this.leader?.output(output)),
      () => this.run(() => this.leader?.drained()),
    );
    this.connection = connection;
    const leader = new Leader(
      term,
      connection,
      (message) => this._down(message),
      new Map(this.tab.calls),
      (step) => this.run(() => this.leader === leader && step()),
    );
    this.leader = leader;
    this.isStarted = false;
    this.run(() => leader.announce());
  }

  start(): void {
    this.isStarted = true;
    this.run(() => this.leader?.start(""));
  }

  received(message: Up | Down): void {
    this.run(() => {
      if ("down" in message) this.tab.heard(message);
      else this.leader?.heard(message);
      if ("up" in message && this.leader?.tabs.has(message.tab)) this.browser.watch(message.tab);
    });
  }

  run(step: () => void): void {
    if (this._steps) return void this._steps.push(step);
    const steps = (this._steps = [step]);
    for (let next = steps.shift(); next; next = steps.shift()) next();
    this._steps = undefined;
  }

  private _up(message: Up): void {
    if (this.leader) this.run(() => this.leader?.heard(message));
    else this.browser.post(this, message);
  }

  private _down(message: Down): void {
    this.browser.post(this, message);
    this.run(() => this.tab.heard(message));
  }

  private _told(output: Output): void {
    if (output.do === "call") {
      this.browser.began.push({ page: this, call: `${this.tab.standing.id} ${output.number}` });
      this.browser.work.push(() => this.isGone || this.run(() => this.tab.answer(output.number, output.data)));
    }
    if (output.do !== "subscribed" && output.do !== "deliver") return;
    const seen = this.seen.get(output.channel)!;
    if (output.do === "deliver") return void seen.offsets.push(output.publication.offset!);
    seen.isLive = true;
    if (!seen.from) seen.from = output.position;
    if (output.recovered === false) seen.gaps.push(output.position!.offset);
  }
}

export class Browser {
  readonly pages: Page[] = [];
  readonly waiting: Page[] = [];
  readonly work: (() => void)[] = [];
  readonly began: { page: Page; call: string }[] = [];
  /** A leader began without having heard of all. */
  hurried = false;
  incarnations = 0;
  wall = 0;
  holder: Page | undefined;
  private readonly _queues = new Map<Page, Map<Page, (Up | Down)[]>>();
  private _notices: (() => void)[] = [];
  private _dying: FakeConnection[] = [];

  constructor(
    readonly server: Server,
    private readonly _random: () => number,
  ) {}

  open(name: string, answers = false): Page {
    const page = new Page(this, name, answers);
    this.pages.push(page);
    return page;
  }

  post(from: Page, message: Up | Down): void {
    for (const to of this.pages) {
      if (to === from) continue;
      let queues = this._queues.get(from);
      if (!queues) this._queues.set(from, (queues = new Map<Page, (Up | Down)[]>()));
      const queue = queues.get(to);
      const copy = structuredClone(message);
      if (queue) queue.push(copy);
      else queues.set(to, [copy]);
    }
  }

  /** It is closed, or crashed: of what it had posted some arrives at some, and its lock is free. */
  end(page: Page, sleeps = false): void {
    page.isGone = !sleeps;
    const { id } = page.tab;
    if (!sleeps) this.pages.splice(this.pages.indexOf(page), 1);
    for (const queue of this._queues.get(page)?.values() ?? []) queue.splice(Math.floor(this._random() * (queue.length + 1)));
    for (const queues of this._queues.values()) queues.delete(page);
    if (page.connection?.isAdmitted) this._dying.push(page.connection); // what it had sent may still arrive
    page.leader = page.connection = undefined;
    if (this.holder === page) this.holder = undefined;
    const at = this.waiting.indexOf(page);
    if (at >= 0) this.waiting.splice(at, 1);
    this._notice(id);
  }

  /** The leader waits for the tab's lock: at once, where the tab was gone before its words came. */
  watch(id: string): void {
    if (this.pages.every((each) => each.tab.id !== id)) this._notice(id);
  }

  private _notice(id: string): void {
    this._notices.push(() => this.holder?.run(() => this.holder?.leader?.gone(id)));
  }

  /** Put to sleep, and awake again: as another one. */
  sleep(page: Page): void {
    this.end(page, true);
    page.join();
  }

  /** One thing happens, of those that may. False: nothing is left. */
  step(): boolean {
    const may: (() => void)[] = [];
    for (const queues of this._queues.values()) {
      for (const [to, queue] of queues) if (queue.length) may.push(() => to.received(queue.shift()!));
    }
    const { holder } = this;
    if (!holder && this.waiting.length) {
      may.push(() => {
        this.holder = this.waiting.shift()!;
        this.holder.lead();
      });
    }
    if (holder?.leader && !holder.isStarted) {
      const isWhole = this.pages.every((each) => holder.leader!.tabs.has(each.tab.id));
      if (isWhole || this._random() < 0.01 || !may.length) {
        may.push(() => {
          this.hurried ||= !isWhole;
          holder.start();
        });
      }
    }
    for (const { up, down } of holder?.connection ? [holder.connection] : []) {
      if (up.length) may.push(() => up.shift()!());
      if (down.length) may.push(() => down.shift()!());
    }
    for (const { up } of this._dying) if (up.length) may.push(() => up.shift()!());
    if (this._notices.length) may.push(() => this._notices.shift()!());
    if (this.work.length) may.push(() => this.work.shift()!());
    if (!may.length) return false;
    may[Math.floor(this._random() * may.length)]!();
    return true;
  }

  settle(): void {
    let most = 200_000;
    while (this.step()) if (!--most) throw new Error("it does not come to rest");
  }
}
