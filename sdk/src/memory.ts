/**
 * What is kept over a reload, where the page asks for it: the session's token and the positions of its channels, in
 * `sessionStorage`. A duplicated tab gets a copy of it; the server tells the one that is superseded (3600), and that one
 * begins a session of its own from its positions.
 */

import type { Position } from "./messages.js";

export interface Remembered {
  token: string;
  positions: Record<string, Position>;
}

export class Memory {
  constructor(
    private readonly _storage: Pick<Storage, "getItem" | "setItem" | "removeItem">,
    private readonly _key: string,
  ) {}

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
      this.forget();
    }
  }

  forget(): void {
    try {
      this._storage.removeItem(this._key);
    } catch {
      // it may be forbidden: then nothing was kept
    }
  }
}
