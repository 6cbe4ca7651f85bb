/** What a page is told of its connection. */

import type { WireReport } from "./chooser/chooser.js";

/** Whose the connection is: this tab's alone; this tab's, for others too; another tab's. */
export type Role = "alone" | "leader" | "follower";

/** What was measured of each kind of wire that is possible here, and why this one was chosen. */
export interface WiresReport {
  current: string;
  why: string;
  /** `offered`: whether the server has it (undefined: not known before the first connect). */
  wires: (WireReport & { offered?: boolean | undefined })[];
  role: Role;
  /** Why `shared` was asked for and is not to be had; else empty. */
  notShared: string;
}
