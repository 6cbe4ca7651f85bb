/** A server as one tab's connection sees it, and that connection: no wires, but everything that can come late or never. */

import type { Conversation, Settle } from "../../src/conversation.js";
import type { MachineState, Output } from "../../src/machine/outputs.js";
import type { Command, Position, Reply, ReplyError, WirePublication } from "../../src/messages.js";
import type { WiresReport } from "../../src/report.js";

/** Logs, sessions, and what was done. It keeps `kept` publications of each channel. */
export class Server {
  epoch = "e";
  readonly logs = new Map<string, WirePublication[]>();
  readonly tops = new Map<string, number>();
  readonly keys = new Map<string, Position>();
  readonly ran: unknown[] = [];
  readonly answers = new Map<number, unknown>();
  /** Calls that are not answered, by number. */
  readonly calls = new Map<number, unknown>();
  session = 0;
  tokens = 0;
  /** The session's newest token; "" when it has ended. */
  token = "";
  subscriptions = 0;
  private readonly _connections = new Set<FakeConnection>();
  private _lastCall = 0;

  constructor(private readonly _kept: number) {}

  publish(channel: string, data: unknown, key = ""): Position {
    const known = key && this.keys.get(key);
    if (known) return known;
    const offset = (this.tops.get(channel) ?? 0) + 1;
    this.tops.set(channel, offset);
    const log = this.logs.get(channel) ?? [];
    this.logs.set(channel, [...log, { offset, data }].slice(-this._kept));
    const position = { epoch: this.epoch, offset };
    if (key) this.keys.set(key, position);
    for (const each of this._connections) each.published(channel, { offset, data });
    return position;
  }

  call(data: unknown): void {
    this.calls.set(++this._lastCall, data);
    for (const each of this._connections) each.called(this._lastCall, data);
  }

  since(channel: string, position: Position): WirePublication[] | undefined {
    const log = this.logs.get(channel) ?? [];
    const top = this.tops.get(channel) ?? 0;
    const missed = log.filter((each) => each.offset! > position.offset);
    return position.epoch === this.epoch && missed.length === top - position.offset ? missed : undefined;
  }

  admit(connection: FakeConnection, token: string): boolean {
    this._connections.clear(); // the others are fenced
    this._connections.add(connection);
    const isResumed = !!token && token === this.token;
    if (!isResumed) {
      this.session++;
      this.calls.clear();
      this._lastCall = 0;
    }
    this.token = `token ${++this.tokens}`;
    return isResumed;
  }

  isCurrent(connection: FakeConnection): boolean {
    return this._connections.has(connection);
  }
}

/** `up` and `down` are the two directions; whoever runs their steps decides when, and what is lost with the tab. */
export class FakeConnection implements Conversation {
  state: MachineState = "idle";
  isCatchingUp = false;
  id = "";
  transport = "";
  moves = 0;
  token = "";
  isAdmitted = false;
  readonly up: (() => void)[] = [];
  readonly down: (() => void)[] = [];
  private readonly _wanted = new Map<string, { position: Position | undefined }>();
  private readonly _live = new Set<string>();
  private _read = 0;

  constructor(
    private readonly _server: Server,
    private readonly _hear: (output: Output) => void,
    private readonly _drained: () => void,
  ) {}

  wires(): WiresReport {
    return { current: "", why: "", wires: [], role: "alone", notShared: "" };
  }
  positionOf(): undefined {}
  duplicatesOf(): number {
    return 0;
  }
  use(): void {}
  positions(): Record<string, Position> {
    return {};
  }
  restore(token: string): void {
    this.token = token;
  }

  connect(): void {
    this.state = "opening";
    const wanted = [...this._wanted];
    this.up.push(() => {
      const shown = this.token;
      const isResumed = this._server.admit(this, shown);
      this.isAdmitted = true;
      const { token, session } = this._server;
      this.down.push(() => {
        this.token = token;
        this.id = `session ${session}`;
        this.state = "connected";
        this._hear({ do: "state", state: "connected", code: 0, reason: "", delay: 0 });
        if (shown) this._hear({ do: "moved", wire: 1, resumed: isResumed });
        this._drained();
      });
      for (const [number, data] of this._server.calls) this.called(number, data);
      for (const each of wanted) this._ask(...each);
    });
  }

  subscribe(channel: string, position?: Position): void {
    const wish = { position };
    this._wanted.set(channel, wish);
    if (this.state !== "idle") this.up.push(() => this._ask(channel, wish));
  }

  private _ask(channel: string, wish: { position: Position | undefined }): void {
    if (!this._server.isCurrent(this) || this._wanted.get(channel) !== wish) return;
    this._server.subscriptions++;
    this._live.add(channel);
    const { position } = wish;
    const missed = position && this._server.since(channel, position);
    const at = { epoch: this._server.epoch, offset: this._server.tops.get(channel) ?? 0 };
    this.down.push(() => {
      if (this._wanted.get(channel) !== wish) return;
      const count = missed?.length ?? 0;
      const recovered = position && !!missed;
      this._hear({ do: "subscribed", channel, recovered, position: at, byServer: false, count });
      for (const publication of missed ?? []) this._hear({ do: "deliver", channel, publication });
    });
  }

  unsubscribe(channel: string): void {
    this._wanted.delete(channel);
    if (this.state !== "idle") this.up.push(() => this._live.delete(channel));
  }

  published(channel: string, publication: WirePublication): void {
    if (!this._live.has(channel)) return;
    const wish = this._wanted.get(channel);
    this.down.push(() => wish && this._wanted.get(channel) === wish && this._hear({ do: "deliver", channel, publication }));
  }

  called(number: number, data: unknown): void {
    this.down.push(() => this._hear({ do: "call", number, method: "method", data }));
  }

  request(command: Command, settle: Settle): void {
    this.up.push(() => {
      if (!this._server.isCurrent(this)) return;
      const reply = this._run(command);
      if (!command.history) this.down.push(() => settle(reply));
      else if (++this._read % 2) this.down.unshift(() => settle(reply)); // it overtakes publications
      else this.up.push(() => this.down.push(() => settle(reply))); // and they overtake it
    });
  }

  private _run({ publish, rpc, history }: Command): Reply {
    if (publish) return { publish: { wh: this._server.publish(publish.channel, publish.data, publish.wh?.key) } };
    if (rpc) {
      this._server.ran.push(rpc.data);
      return { rpc: { data: rpc.data } };
    }
    if (!history) return {};
    const { channel, since } = history;
    const log = this._server.logs.get(channel) ?? [];
    const publications = log.filter((each) => !since || each.offset! > since.offset);
    return { history: { publications, epoch: this._server.epoch, offset: this._server.tops.get(channel) ?? 0 } };
  }

  answer(number: number, data: unknown, error?: ReplyError): void {
    this.up.push(() => {
      if (!this._server.isCurrent(this) || !this._server.calls.delete(number)) return;
      this._server.answers.set(number, error ? error.code : data);
    });
  }

  offer(): void {}
  move(): void {}
  cut(): void {}
  wake(): void {}
  doubt(): void {}
  sleep(): void {}
  leave(): void {}
  retire(): void {}
  close(): void {}
}
