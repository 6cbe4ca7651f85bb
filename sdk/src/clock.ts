/** The browser's time, as the SDK takes it; tests give their own. */

import type { Clock } from "./wire.js";

export const systemClock: Clock = {
  now: () => performance.now() / 1000,
  wall: () => Date.now() / 1000,
  after: (seconds, run) => setTimeout(run, Math.min(seconds, 2_000_000) * 1000) as unknown as number,
  cancel: (id) => clearTimeout(id),
};
