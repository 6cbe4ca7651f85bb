/**
 * What is kept over a reload, where the page asks for it: the session's token and the positions of its channels, in
 * `sessionStorage`. A duplicated tab gets a copy of it; the server tells the one that is superseded (3600), and that one
 * begins a session of its own from its positions.
 */

import type { Position } from "./messages.js";
import type { Clock } from "./wire.js";

/** Seconds after which what has changed is written down: a tab that crashes forgets no more. */
const SOON = 0.5;

export interface Remembered {
  token: string;
  positions: Record<string, Position>;
}

export class Memory {
  private _timer = 0;
  private _isOver = false;

  constructor(
    private readonly _storage: Pick<Storage, "getItem" | "setItem" | "removeItem">,
    private readonly _key: string,
    private readonly _clock: Clock,
  ) {}

  /** Something has changed: `keep` it before long. */
  soon(keep: () => void): void {
    if (this._isOver) return;
    this._timer ||= this._clock.after(SOON, () => {
      this._timer = 0;
      keep();
    });
  }

  recall(): Remembered {
    try {
      const found = JSON.parse(this._storage.getItem(this._key) ?? "{}") as Partial<Remembered>;
      return { token: found.token ?? "", positions: found.positions ?? {} };
    } catch {
      return { token: "", positions: {} };
    }
  }

  keep(remembered: Remembered): void {
    try {
      this._storage.setItem(this._key, JSON.stringify(remembered));
    } catch {
      this.forget(); // storage is full, or forbidden
    }
  }

  /** Nothing is kept, from now on. */
  forget(): void {
    this._isOver = true;
    this._clock.cancel(this._timer);
    try {
      this._storage.removeItem(this._key);
    } catch {
      // it may be forbidden: then nothing was kept
    }
  }
}

/** Undefined where it is forbidden. */
export function storageOf(name: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return globalThis[name];
  } catch {
    return undefined;
  }
}
