/** Where the time of joining went, for one participant: from `join` to the first frame. Pure. */

/** In milliseconds. Undefined: it did not come to that, or not in this order. They overlap; `total` is not their sum. */
export interface JoinBudget {
  /** From joining (or, later, from when the other one came) until both descriptions are set. */
  signal: number | undefined;
  /** From the local description to the first candidate. */
  gather: number | undefined;
  /** From the first check to a pair that works. */
  check: number | undefined;
  /** From there until keys are agreed on. */
  dtls: number | undefined;
  /** From there until the first frame (or, without video, the first packet) was there. */
  frame: number | undefined;
  /** From the beginning to the last mark that there is. */
  total: number;
}

export type Mark = "began" | "described" | "candidate" | "agreed" | "checking" | "connected" | "secured" | "frame";

export class BudgetMarks {
  private readonly _at: Partial<Record<Mark, number>> = {};

  /** The first time counts. */
  mark(mark: Mark, now: number): void {
    this._at[mark] ??= now;
  }

  has(mark: Mark): boolean {
    return this._at[mark] !== undefined;
  }

  budget(): JoinBudget {
    const at = this._at;
    const between = (from: Mark, to: Mark) => {
      const [begin, end] = [at[from], at[to]];
      return begin === undefined || end === undefined ? undefined : Math.round((end - begin) * 1000);
    };
    return {
      signal: between("began", "agreed"),
      gather: between("described", "candidate"),
      check: between("checking", "connected"),
      dtls: between("connected", "secured"),
      frame: between("secured", "frame"),
      total: Math.round((Math.max(...Object.values(at)) - (at.began ?? 0)) * 1000),
    };
  }
}
