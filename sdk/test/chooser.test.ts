/** Which wire is chosen, and why: by what was measured, without demoting for good and without flapping. */

import { describe, expect, it } from "vitest";
import { Chooser } from "../src/chooser/chooser.js";

const ALL = ["websocket", "stream", "sse", "long-poll", "short-poll"];

class Store {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
}

function chooser({ offered = ALL, storage = new Store() as Pick<Storage, "getItem" | "setItem">, origin = "https://a" } = {}) {
  const time = { now: 0 };
  const made = new Chooser({
    offered,
    origin,
    storage,
    now: () => time.now,
    wall: () => 1000 + time.now,
    random: () => 0.5,
  });
  return { made, time };
}

const costs = (made: Chooser) => Object.fromEntries(made.report().map(({ transport, cost }) => [transport, cost]));
const of = (made: Chooser, transport: string) => made.report().find((each) => each.transport === transport)!;

describe("the start", () => {
  it("is the first in the order where nothing is known", () => {
    const { made } = chooser();
    expect(made.first()).toEqual(["websocket", "stream", "sse"]);
    expect(made.why).toBe("it comes first");
  });

  it.each(["stream", "sse", "long-poll", "short-poll"])("is %s where that worked the last time", (known) => {
    const storage = new Store();
    chooser({ storage }).made.connected(known, 0.1);
    const { made } = chooser({ storage });
    expect(made.first()[0]).toBe(known);
    expect(made.first()[1]).toBe("websocket");
    expect(made.why).toContain("last time");
  });

  it("forgets after a week", () => {
    const storage = new Store();
    chooser({ storage }).made.connected("sse", 0.1);
    const entry = JSON.parse([...storage.kept.values()][0]!) as { until: number };
    expect(entry.until).toBe(1000 + 7 * 86_400);
    storage.setItem([...storage.kept.keys()][0]!, JSON.stringify({ ...entry, until: 999 }));
    expect(chooser({ storage }).made.first()[0]).toBe("websocket");
  });

  it("is remembered per origin", () => {
    const storage = new Store();
    chooser({ storage }).made.connected("sse", 0.1);
    expect(chooser({ storage, origin: "https://b" }).made.first()[0]).toBe("websocket");
  });

  it("ignores what is remembered and not offered, or is no JSON", () => {
    const storage = new Store();
    chooser({ storage }).made.connected("sse", 0.1);
    expect(chooser({ storage, offered: ["websocket", "long-poll"] }).made.first()[0]).toBe("websocket");
    storage.setItem("wirehop:wire:https://a", "{");
    expect(chooser({ storage }).made.first()[0]).toBe("websocket");
  });

  it("works where storage is forbidden", () => {
    const storage = {
      getItem: () => {
        throw new Error("forbidden");
      },
      setItem: () => {
        throw new Error("forbidden");
      },
    };
    const { made } = chooser({ storage });
    made.connected("stream", 0.1);
    expect(made.first()[0]).toBe("stream");
  });

  it("leaves out what has failed, and says so", () => {
    const { made } = chooser();
    made.first();
    made.failed("websocket", "blocked");
    made.connected("stream", 0.1);
    expect(made.why).toContain("websocket: blocked");
    expect(made.first()[0]).toBe("stream");
  });

  it("does not insist on what was remembered and then failed", () => {
    const storage = new Store();
    chooser({ storage }).made.connected("sse", 0.1);
    const { made } = chooser({ storage });
    made.failed("sse", "gone");
    expect(made.first()[0]).toBe("websocket");
  });

  it("waits longer for a wire that is known to take its time, but not for ever", () => {
    const { made } = chooser();
    made.first();
    expect(made.raceAfter).toBe(1);
    made.connected("websocket", 1.2);
    made.first();
    expect(made.raceAfter).toBeCloseTo(2.4);
    made.connected("websocket", 9);
    made.first();
    expect(made.raceAfter).toBe(3);
  });
});

describe("trouble", () => {
  it("is half forgotten in two minutes", () => {
    const { made, time } = chooser();
    made.failed("websocket", "x");
    expect(costs(made).websocket).toBe(4);
    time.now = 120;
    expect(costs(made).websocket).toBe(2);
    time.now = 1200;
    expect(made.first()[0]).toBe("websocket");
  });

  it("is bounded, however often something fails", () => {
    const { made } = chooser();
    for (let count = 0; count < 100; count++) made.failed("websocket", "x");
    expect(costs(made).websocket).toBe(12);
  });

  it("of one slow first reply demotes nobody", () => {
    const { made } = chooser();
    made.first();
    made.connected("websocket", 8);
    expect(made.first()[0]).toBe("websocket");
  });

  it("is halved by a connect that works", () => {
    const { made } = chooser();
    made.failed("websocket", "x");
    made.connected("websocket", 0.1);
    expect(costs(made).websocket).toBe(2);
  });

  it("of bytes held back is large, and forgiven with time and by a quick answer", () => {
    const { made, time } = chooser();
    made.measured("stream", { buffered: true });
    expect(of(made, "stream").buffered).toBe(true);
    expect(costs(made).stream).toBe(9);
    made.measured("stream", { buffered: true });
    expect(costs(made).stream).toBe(9);
    time.now = 600;
    expect(costs(made).stream).toBeLessThan(1.5);
    made.measured("stream", { roundTrip: 0.05 });
    expect(of(made, "stream").buffered).toBe(false);
  });

  it("counts stalls", () => {
    const { made } = chooser();
    made.measured("websocket", { roundTrip: 1.9 });
    expect(of(made, "websocket").stalls).toBe(0);
    made.measured("websocket", { roundTrip: 2.1 });
    made.measured("websocket", { roundTrip: 5 });
    expect(of(made, "websocket").stalls).toBe(2);
    expect(costs(made).websocket).toBe(2);
  });

  it("of names that are not offered is no trouble", () => {
    const { made } = chooser({ offered: ["sse"] });
    made.failed("websocket", "x");
    made.connected("websocket", 1);
    made.measured("websocket", { roundTrip: 1 });
    expect(made.report().map((each) => each.transport)).toEqual(["sse"]);
  });
});

describe("round trips", () => {
  it("are smoothed", () => {
    const { made } = chooser();
    made.measured("websocket", { roundTrip: 0.1 });
    expect(of(made, "websocket").roundTrip).toBeCloseTo(0.1);
    made.measured("websocket", { roundTrip: 0.2 });
    expect(of(made, "websocket").roundTrip).toBeCloseTo(0.13);
  });
});

describe("climbing", () => {
  it("tries the better wire after half a minute, though what works was remembered", () => {
    const { made, time } = chooser();
    made.failed("websocket", "blocked");
    made.connected("stream", 0.1);
    time.now = 29;
    expect(made.better("stream")).toBeUndefined();
    time.now = 31;
    expect(made.better("stream")).toBe("websocket");
  });

  it("is the rarer the more often it fails", () => {
    const { made, time } = chooser();
    made.failed("websocket", "blocked");
    made.connected("stream", 0.1);
    const tries: number[] = [];
    for (; time.now < 3600; time.now++) {
      const better = made.better("stream");
      if (!better) continue;
      expect(better).toBe("websocket");
      tries.push(time.now);
      made.failed(better, "still blocked");
    }
    const pauses = tries.slice(1).map((each, index) => each - tries[index]!);
    expect(pauses.length).toBeGreaterThan(4);
    expect(pauses.length).toBeLessThan(25);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(60);
    expect(Math.max(...pauses)).toBeGreaterThan(2 * pauses[0]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1300);
  });

  it("does not flap: what came up and has had trouble before is not left for a worse wire", () => {
    const { made, time } = chooser();
    made.failed("websocket", "blocked");
    made.connected("stream", 0.1);
    time.now = 31;
    expect(made.better("stream")).toBe("websocket");
    made.connected("websocket", 0.1);
    for (; time.now < 3600; time.now++) expect(made.better("websocket")).toBeUndefined();
  });

  it("keeps its pace for a wire that breaks again and again after it was climbed to", () => {
    const { made, time } = chooser();
    let current = "websocket";
    let climbs = 0;
    made.connected("websocket", 0.1);
    for (; time.now < 3600; time.now++) {
      if (current === "websocket" && time.now % 5 === 4) {
        made.failed("websocket", "broke", 2);
        current = "stream";
        made.connected("stream", 0.1);
      }
      const better = made.better(current);
      if (better) {
        climbs++;
        made.connected((current = better), 0.1);
      }
    }
    expect(climbs).toBeGreaterThan(2);
    expect(climbs).toBeLessThan(30);
  });

  it("is quick again after the best wire has held for long", () => {
    const { made, time } = chooser();
    made.connected("stream", 0.1);
    for (; time.now < 2000; time.now++) if (made.better("stream")) made.failed("websocket", "no");
    for (; time.now < 8000; time.now++) made.better("websocket");
    made.connected("stream", 0.1);
    const began = time.now;
    while (!made.better("stream")) time.now++;
    expect(time.now - began).toBeLessThanOrEqual(60);
  });

  it("goes down only where the one that works is in real trouble", () => {
    const { made, time } = chooser();
    made.connected("websocket", 0.1);
    time.now = 100;
    made.measured("websocket", { roundTrip: 3 });
    expect(made.better("websocket")).toBeUndefined();
    time.now = 200;
    for (let count = 0; count < 5; count++) made.measured("websocket", { roundTrip: 3 });
    expect(made.better("websocket")).toBe("stream");
  });

  it("has nowhere to go with one wire", () => {
    const { made, time } = chooser({ offered: ["sse"] });
    time.now = 1000;
    expect(made.better("sse")).toBeUndefined();
    expect(made.next("sse")).toBe("sse");
  });

  it("names another one than the current", () => {
    const { made } = chooser();
    expect(made.next("websocket")).toBe("stream");
    expect(made.next("long-poll")).toBe("websocket");
  });
});
