/** Several wires that try to become one. */

import { describe, expect, it } from "vitest";
import { Race } from "../src/race.js";
import type { Command, Reply, Wire, WireListener } from "../src/wire.js";
import { CONNECT, CONNECTED, Ear, world } from "./world.js";

class FakeWire implements Wire {
  listener: WireListener | undefined;
  sent: Command[] = [];
  closes: (Command[] | undefined)[] = [];
  checks = 0;

  constructor(readonly transport: string) {}

  open(_connect: Command, listener: WireListener): void {
    this.listener = listener;
  }
  send(commands: Command[]): void {
    this.sent.push(...commands);
  }
  check(): void {
    this.checks++;
  }
  figures() {
    return { lastByteAt: 7 };
  }
  close(bye?: Command[]): void {
    this.closes.push(bye);
  }
}

function racing(...names: string[]) {
  const { clock, context } = world();
  const wires = names.map((name) => new FakeWire(name));
  const won: [string, number][] = [];
  const failed: [string, string, number | undefined][] = [];
  const race = new Race(
    wires.map((wire) => () => wire),
    1,
    context,
    {
      won: (transport, seconds) => won.push([transport, seconds]),
      failed: (transport, reason, trouble) => failed.push([transport, reason, trouble]),
    },
  );
  const ear = new Ear();
  race.open(CONNECT, ear);
  return { clock, wires, won, failed, race, ear };
}

const PUSH: Reply = { push: { channel: "a", pub: { data: 1 } } };

describe("a race", () => {
  it("starts with one wire alone, and stays with it where it answers in time", async () => {
    const { clock, wires, won, ear } = racing("a", "b");
    await clock.pass(0.5);
    expect(wires[1]!.listener).toBeUndefined();
    wires[0]!.listener!.received([CONNECTED]);
    await clock.pass(10);
    expect(wires[1]!.listener).toBeUndefined();
    expect(won).toEqual([["a", 0.5]]);
    expect(ear.replies).toEqual([CONNECTED]);
  });

  it("lets the next one join after a second", async () => {
    const { clock, wires } = racing("a", "b");
    await clock.pass(0.99);
    expect(wires[1]!.listener).toBeUndefined();
    await clock.pass(0.02);
    expect(wires[1]!.listener).toBeDefined();
  });

  it("starts the next one at once where the first fails", async () => {
    const { wires, ear } = racing("a", "b");
    wires[0]!.listener!.lost(1006, "blocked");
    expect(wires[1]!.listener).toBeDefined();
    expect(ear.ends).toEqual([]);
  });

  it("runs two at a time at most", async () => {
    const { clock, wires } = racing("a", "b", "c");
    await clock.pass(9);
    expect(wires[2]!.listener).toBeUndefined();
    wires[0]!.listener!.lost(0, "no answer after the upgrade");
    expect(wires[2]!.listener).toBeDefined();
  });

  it("closes the losers, and blames them less for being slow than for failing", async () => {
    const { clock, wires, failed } = racing("a", "b", "c");
    wires[0]!.listener!.lost(1006, "blocked");
    await clock.pass(1.1);
    wires[2]!.listener!.received([CONNECTED]);
    expect(wires[1]!.closes).toEqual([undefined]);
    expect(failed).toEqual([
      ["a", "blocked", undefined],
      ["b", "no answer yet when c was there", 2],
    ]);
  });

  it("is lost when all have failed, and blames each little", () => {
    const { wires, ear, failed } = racing("a", "b");
    wires[0]!.listener!.lost(0, "x");
    wires[1]!.listener!.lost(0, "y");
    expect(ear.ends).toEqual([{ code: 0, reason: "y" }]);
    expect(failed.map(([name, , trouble]) => [name, trouble])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
  });

  it("blames wires that were silent for long when it is given up", async () => {
    const { clock, race, failed, wires } = racing("a", "b", "c");
    await clock.pass(10);
    race.close();
    expect(failed).toEqual([
      ["a", "no answer", undefined],
      ["b", "no answer", undefined],
    ]);
    expect(wires.map((each) => each.closes.length)).toEqual([1, 1, 0]);
  });

  it("blames nobody when it is closed early", () => {
    const { race, failed } = racing("a", "b");
    race.close();
    expect(failed).toEqual([]);
  });

  it("keeps what is sent meanwhile for the winner, in order", async () => {
    const { clock, wires, race } = racing("a", "b");
    race.send([{ id: 1, ping: {} }]);
    await clock.pass(1.5);
    race.send([{ id: 2, ping: {} }]);
    wires[1]!.listener!.received([CONNECTED]);
    race.send([{ id: 3, ping: {} }]);
    expect(wires[1]!.sent.map((each) => each.id)).toEqual([1, 2, 3]);
    expect(wires[0]!.sent).toEqual([]);
  });

  it("hears nothing of the losers any more", async () => {
    const { clock, wires, ear } = racing("a", "b");
    await clock.pass(1.5);
    wires[1]!.listener!.received([CONNECTED]);
    wires[0]!.listener!.received([CONNECTED, PUSH]);
    wires[0]!.listener!.lost(1006, "late");
    expect(ear.replies).toEqual([CONNECTED]);
    expect(ear.ends).toEqual([]);
  });

  it("passes a refused connect on", () => {
    const { wires, ear, won } = racing("a", "b");
    const refused = { id: 4294967295, error: { code: 101, message: "no" } };
    wires[0]!.listener!.received([refused]);
    expect(ear.replies).toEqual([refused]);
    expect(won).toEqual([]);
  });

  it("is lost with its winner, and starts nothing then", async () => {
    const { clock, wires, ear } = racing("a", "b");
    wires[0]!.listener!.received([CONNECTED]);
    wires[0]!.listener!.lost(1006, "broke");
    await clock.pass(10);
    expect(ear.ends).toEqual([{ code: 1006, reason: "broke" }]);
    expect(wires[1]!.listener).toBeUndefined();
  });

  it("closes the winner with the last words, the others without, and starts nothing then", async () => {
    const { clock, wires, race } = racing("a", "b");
    wires[0]!.listener!.received([CONNECTED]);
    const bye = [{ id: 1, ping: {}, wh: { bye: true } }];
    race.close(bye);
    await clock.pass(10);
    expect(wires[0]!.closes).toEqual([bye]);
    expect(wires[1]!.listener).toBeUndefined();
    expect(clock.waiting).toBe(0);
  });

  it("is its winner", () => {
    const { wires, race } = racing("a", "b");
    expect(race.transport).toBe("a");
    wires[0]!.listener!.lost(0, "x");
    wires[1]!.listener!.received([CONNECTED]);
    race.check();
    expect([race.transport, race.figures(), wires[1]!.checks]).toEqual(["b", { lastByteAt: 7 }, 1]);
  });
});
