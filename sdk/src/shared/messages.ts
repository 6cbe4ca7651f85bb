/** What tabs say to the one that leads, and what it says to all of them. Values and no rules. */

import type { MachineState, Output } from "../machine/outputs.js";
import type { Command, Position, Reply, ReplyError, WirePublication } from "../messages.js";
import type { WiresReport } from "../report.js";

/** One channel that a tab wants. Each wish has a number of its own; 0: the server gave it. */
export interface Want {
  channel: string;
  number: number;
  position: Position | undefined;
  joinLeave: boolean;
  /** Whether the tab had it before. */
  wasLive: boolean;
  isByServer: boolean;
}

/** The newest token that somebody heard of, and of when. */
export interface Known {
  token: string;
  term: number;
  version: number;
}

/** From a tab to the leader of `term`; the others do not listen. */
export type Up = { tab: string; term: number } & (
  | { up: "hello"; wants: Want[]; methods: string[]; calls: number[]; known: Known }
  | { up: "want"; want: Want }
  | { up: "unwant"; channel: string }
  | { up: "ask"; ask: number; command: Command }
  | { up: "offer"; method: string }
  | { up: "answer"; number: number; data: unknown; error: ReplyError | undefined }
  | { up: "move"; to: string[]; reason: string }
  | { up: "use"; wires: string[] }
  | { up: "cut" | "wake" | "bye" }
);

/** How the leader's connection stands. */
export interface Standing {
  state: MachineState;
  code: number;
  reason: string;
  delay: number;
  isCatchingUp: boolean;
  id: string;
  transport: string;
  moves: number;
  /** The session's newest, and its how-manieth standing of this term this is. */
  token: string;
  version: number;
  wires: WiresReport;
}

/** From the leader to all tabs; what has a `tab` is for that one. */
export type Down = { term: number } & (
  | { down: "lead" | "stand"; standing: Standing }
  | {
      down: "given";
      tab: string;
      number: number;
      channel: string;
      recovered: boolean | undefined;
      position: Position | undefined;
      byServer: boolean;
      publications: WirePublication[];
    }
  | {
      down: "subscribed";
      channel: string;
      recovered: boolean | undefined;
      position: Position | undefined;
      byServer: boolean;
      publications: WirePublication[];
    }
  | { down: "deliver"; channel: string; epoch: string; publication: WirePublication }
  | { down: "ended"; tab: string; number: number; channel: string; code: number; reason: string }
  | { down: "answered"; tab: string; ask: number; reply: Reply }
  | { down: "call"; tab: string; number: number; method: string; data: unknown }
  | { down: "told"; output: Output }
);
