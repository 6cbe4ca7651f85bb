/** Which wires may be used changes while a client lives: the chooser follows, and remembers only what it has chosen. */

import { describe, expect, it } from "vitest";
import { Chooser, ORDER } from "../src/chooser/chooser.js";

function chooser(offered: string[]) {
  const time = { now: 100 };
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const made = new Chooser({
    offered,
    possible: ORDER,
    origin: "https://a",
    storage,
    now: () => time.now,
    wall: () => time.now,
    random: () => 0.5,
  });
  return { made, time, kept };
}

describe("wires that are offered later", () => {
  it("are due at once where the current one is not offered any more, also a worse one", () => {
    const { made } = chooser(ORDER);
    made.offer(["sse"]);
    expect(made.better("websocket")).toBe("sse");
    expect(made.next("websocket")).toBe("sse");
    expect(made.first()).toEqual(["sse"]);
  });

  it("are asked for again, soon and then rarer, until one of them is the current one", () => {
    const { made, time } = chooser(ORDER);
    made.offer(["sse"]);
    const tries: number[] = [];
    for (const end = time.now + 120; time.now < end; time.now++) {
      if (made.better("websocket")) tries.push(time.now - 100);
    }
    expect(tries).toEqual([0, 12, 36, 84]);
    expect(made.better("sse")).toBeUndefined();
  });

  it("are due at once where one of them is better, and not where none is", () => {
    const { made } = chooser(["short-poll"]);
    made.offer(["websocket", "short-poll"]);
    expect(made.better("short-poll")).toBe("websocket");
    made.offer(["long-poll", "websocket"]);
    expect(made.better("websocket")).toBeUndefined();
  });

  it("are reported with what was measured before", () => {
    const { made } = chooser(["websocket"]);
    made.connected("websocket", 0.1);
    made.offer(["jsonp"]);
    const said = Object.fromEntries(made.report().map((each) => [each.transport, each]));
    expect(said["websocket"]).toMatchObject({ allowed: false, connected: 1 });
    expect(said["jsonp"]).toMatchObject({ allowed: true, connected: 0 });
    expect(made.report()).toHaveLength(ORDER.length);
  });

  it("are not remembered where there was no choice", () => {
    const { made, kept } = chooser(["sse"]);
    made.connected("sse", 0.1);
    expect([...kept]).toEqual([]);
    made.offer(["websocket", "sse"]);
    made.connected("sse", 0.1);
    expect(JSON.parse(kept.get("wirehop:wire:https://a")!)).toMatchObject({ transport: "sse" });
  });

  it("leave what is remembered aside while it is not offered", () => {
    const { made } = chooser(["websocket", "sse"]);
    made.connected("sse", 0.1);
    made.offer(["websocket", "stream"]);
    expect(made.first()[0]).toBe("websocket");
    made.offer(["websocket", "sse"]);
    expect(made.first()[0]).toBe("sse");
  });
});
