/** What the machine tells its driver: wires to open, commands to send, what the application is to hear. */

import type { ClientInfo, Command, Position, Reply, WirePublication } from "../messages.js";

export type MachineState = "idle" | "opening" | "connecting" | "connected" | "waiting" | "closed";

export type Output =
  | { do: "open"; wire: number; to: string[]; move: boolean; reason: string }
  | { do: "close"; wire: number; bye: boolean }
  | { do: "transmit"; wire: number; commands: Command[] }
  | { do: "pong"; wire: number }
  | { do: "moved"; wire: number; resumed: boolean }
  | { do: "trial_failed"; wire: number; code: number; reason: string }
  | { do: "deliver"; channel: string; publication: WirePublication }
  | {
      do: "subscribed";
      channel: string;
      /** Undefined: for the first time. */
      recovered: boolean | undefined;
      position: Position | undefined;
      byServer: boolean;
      /** So many `deliver` of this channel follow at once: what `position` is after. */
      count: number;
    }
  | { do: "unsubscribed"; channel: string; code: number; reason: string }
  | { do: "presence"; channel: string; change: "join" | "leave"; info: ClientInfo }
  | { do: "answered"; call: number; reply: Reply }
  | { do: "message"; data: unknown }
  | { do: "call"; number: number; method: string; data: unknown }
  | { do: "refresh_wanted" }
  | { do: "synced"; synced: boolean }
  | { do: "state"; state: MachineState; code: number; reason: string; delay: number };
