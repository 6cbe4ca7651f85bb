/** What all wires share: their figures, and saying once that they are lost. */

import type { Command, Reply, Wire, WireContext, WireFigures, WireListener } from "../wire.js";

export abstract class BaseWire implements Wire {
  abstract readonly transport: string;
  protected _listener: WireListener | undefined;
  protected readonly _figures: WireFigures = { lastByteAt: 0 };

  constructor(protected readonly _context: WireContext) {}

  open(connect: Command, listener: WireListener): void {
    this._listener = listener;
    this._figures.lastByteAt = this._context.clock.now();
    this._start(connect);
  }

  abstract send(commands: Command[]): void;

  check(): void {}

  figures(): WireFigures {
    return { ...this._figures };
  }

  close(bye?: Command[]): void {
    this._listener = undefined;
    this._stop(bye);
  }

  protected abstract _start(connect: Command): void;
  /** Let go of everything; with `bye` deliver that as the page goes. */
  protected abstract _stop(bye?: Command[]): void;

  protected _received(replies: Reply[]): void {
    this._heard();
    this._listener?.received(replies);
  }

  /** It lives. */
  protected _heard(): void {
    this._figures.lastByteAt = this._context.clock.now();
  }

  protected _lost(code: number, reason: string): void {
    const listener = this._listener;
    this.close();
    listener?.lost(code, reason);
  }

  protected _url(name: string, path: string): URL {
    const { base, paths } = this._context;
    return new URL((base.pathname.replace(/\/$/, "") + (paths[name] ?? path)) as string, base);
  }
}

/** Lines of JSON as they come: a reply each. Throws where a line is none. */
export function repliesOf(text: string): Reply[] {
  return text
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => JSON.parse(line) as Reply);
}

export function linesOf(commands: Command[]): string {
  return commands.map((command) => JSON.stringify(command)).join("\n");
}
