/** The whole client in a network that the test breaks: which wire, when, how often, and what the page hears. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Client, type ConnectOptions } from "../src/client.js";
import { Network, type Kind } from "./network.js";

class Store {
  kept = new Map<string, string>();
  getItem = (key: string) => this.kept.get(key) ?? null;
  setItem = (key: string, value: string) => void this.kept.set(key, value);
  removeItem = (key: string) => void this.kept.delete(key);
}

let page: EventTarget;
let document: EventTarget & { visibilityState: string };
let session: Store;
let local: Store;
let opened: Client[] = [];

beforeEach(() => {
  page = new EventTarget();
  document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  session = new Store();
  local = new Store();
  vi.stubGlobal("document", document);
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
  vi.stubGlobal("removeEventListener", page.removeEventListener.bind(page));
  vi.stubGlobal("sessionStorage", session);
  vi.stubGlobal("localStorage", local);
});

afterEach(() => {
  for (const each of opened) each.close();
  opened = [];
  vi.unstubAllGlobals();
});

function start(net: Network, options: ConnectOptions = {}) {
  const client = new Client("https://example.org/", { context: net.context, ...options });
  opened.push(client);
  const states: string[] = [];
  client.on("state", ({ state }) => states.push(state));
  return { client, states };
}

async function live(net: Network, options: ConnectOptions = {}, within = 1) {
  const found = start(net, options);
  const seen: number[] = [];
  found.client.channel<number>("room").on("publication", ({ data }) => seen.push(data));
  await net.clock.pass(within);
  expect(found.client.state).toBe("live");
  return { ...found, seen };
}

/** An event of the page's life. */
function say(target: EventTarget, type: string, more: object = {}): void {
  target.dispatchEvent(Object.assign(new Event(type), more));
}

const report = (client: Client, kind: Kind) => client.wires().wires.find((each) => each.transport === kind)!;

describe("starting", () => {
  it("opens one WebSocket and nothing else where that works", async () => {
    const net = new Network();
    const { client } = await live(net);
    await net.clock.pass(5);
    expect(client.transport).toBe("websocket");
    expect(net.attempts.map((each) => each.kind)).toEqual(["websocket"]);
    expect(client.wires().why).toBe("it comes first");
  });

  it.each([
    ["blocked", 0.5],
    ["hole", 1.5],
  ] as const)("with WebSocket that is %s is live within %d s over a stream", async (weather, seconds) => {
    const net = new Network();
    net.weather.websocket = weather;
    const { client } = start(net);
    await net.clock.pass(seconds);
    expect([client.state, client.transport]).toEqual(["live", "stream"]);
    expect(client.wires().why).toContain("websocket");
  });

  it("with frames that are eaten and streams that are held back finds the poll", async () => {
    const net = new Network();
    net.weather.websocket = net.weather.stream = net.weather.sse = "eats";
    const { client } = start(net);
    await net.clock.pass(16);
    expect([client.state, client.transport]).toEqual(["live", "long-poll"]);
  });

  it("starts on what worked, after a reload, and climbs from there", async () => {
    const net = new Network();
    net.weather.websocket = net.weather.stream = net.weather.sse = "blocked";
    const first = await live(net, {}, 3);
    expect(first.client.transport).toBe("long-poll");
    first.client.close();
    net.weather.websocket = "well";
    net.attempts.length = 0;
    const { client, states } = await live(net);
    expect(net.attempts[0]!.kind).toBe("long-poll");
    expect(client.wires().why).toContain("last time");
    await net.clock.pass(45);
    expect(client.transport).toBe("websocket");
    expect(client.moves).toBe(1);
    expect(states).toEqual(["live"]);
  });

  it("says no where no wire is possible", () => {
    vi.stubGlobal("document", undefined);
    expect(() => new Client("https://example.org/", { wires: "jsonp" })).toThrow("none of these wires");
  });

  it("ends where the server refuses for good", async () => {
    const net = new Network();
    net.refusal = { code: 101, message: "unauthorized" };
    const { client } = start(net);
    await net.clock.pass(60);
    expect(client.state).toBe("closed");
    expect(net.attempts).toHaveLength(1);
  });
});

describe("climbing", () => {
  it("comes while the wire is busy, and costs nothing", async () => {
    const net = new Network();
    net.weather.websocket = "blocked";
    const { client, seen, states } = await live(net);
    expect(client.transport).toBe("stream");
    net.weather.websocket = "well";
    for (let count = 0; count < 60; count++) {
      net.publish("room", net.offset + 1);
      await net.clock.pass(1);
    }
    expect(client.transport).toBe("websocket");
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(states).toEqual(["live"]);
    expect(net.open).toHaveLength(1);
  });

  it("fails quietly, and the more rarely the more often it failed", async () => {
    const net = new Network();
    net.weather.websocket = "blocked";
    const { client, states } = await live(net);
    await net.clock.pass(3600);
    expect(client.transport).toBe("stream");
    expect(states).toEqual(["live"]);
    expect(net.tried("websocket")).toBeGreaterThan(5);
    expect(net.tried("websocket")).toBeLessThan(30);
  });
});

describe("measuring", () => {
  it("goes on all the time", async () => {
    const net = new Network();
    const { client } = await live(net);
    expect(report(client, "websocket").roundTrip).toBeCloseTo(0.05);
    net.roundTrip = 0.3;
    for (let count = 0; count < 20; count++) {
      void client.rpc("m");
      await net.clock.pass(3);
    }
    expect(report(client, "websocket").roundTrip).toBeGreaterThan(0.25);
  });

  it("goes on with nothing but heartbeats, a ping a minute at most", async () => {
    const net = new Network();
    const { client } = await live(net);
    net.roundTrip = 0.4;
    const before = net.commands.length;
    await net.clock.pass(1000);
    const pings = net.commands.slice(before).filter((each) => each.ping);
    expect(pings.length).toBeGreaterThan(10);
    expect(pings.length).toBeLessThan(20);
    expect(report(client, "websocket").roundTrip).toBeGreaterThan(0.3);
    expect(client.moves).toBe(0);
  });

  it("tells stalls, the silence and why", async () => {
    const net = new Network();
    const { client } = await live(net);
    await net.clock.pass(2);
    net.roundTrip = 5;
    void client.rpc("m");
    await net.clock.pass(4);
    net.roundTrip = 0.05;
    await net.clock.pass(4);
    expect(report(client, "websocket").stalls).toBe(1);
    await net.clock.pass(7);
    expect(report(client, "websocket").silence).toBeGreaterThan(6);
    expect(report(client, "stream").silence).toBeUndefined();
  });
});

describe("a wire that is silent", () => {
  it("is left for another within 1.5 heartbeats, without being offline", async () => {
    const net = new Network();
    const { client, states } = await live(net);
    net.weather.websocket = "hole";
    const began = net.clock.time;
    while (client.transport === "websocket" && net.clock.time - began < 60) await net.clock.pass(0.5);
    expect(client.transport).toBe("stream");
    expect(net.clock.time - began).toBeLessThanOrEqual(1.5 * 25);
    expect(states).toEqual(["live"]);
    expect(client.wires().wires.find((each) => each.transport === "websocket")!.lastFailure).toContain("heartbeats");
  });

  it("is not left for a heartbeat that comes a little late", async () => {
    const net = new Network();
    net.lateness = 3;
    const { client } = await live(net);
    await net.clock.pass(600);
    expect(client.transport).toBe("websocket");
    expect(net.attempts.map((each) => each.kind)).toEqual(["websocket"]);
  });

  it("is offline where nothing else gets through either, and comes back by itself", async () => {
    const net = new Network();
    const { client, states, seen } = await live(net);
    for (const kind of Object.keys(net.weather) as Kind[]) net.weather[kind] = "hole";
    await net.clock.pass(60);
    expect(client.state).toBe("offline");
    for (const kind of Object.keys(net.weather) as Kind[]) net.weather[kind] = "well";
    await net.clock.pass(45);
    expect(client.state).toBe("live");
    net.publish("room", 1);
    await net.clock.pass(1);
    expect(seen).toEqual([1]);
    expect(states.at(-1)).toBe("live");
  });

  it("is left where its answers are stuck and something came up meanwhile", async () => {
    const net = new Network();
    net.weather.websocket = "blocked";
    const { client } = await live(net);
    net.weather.stream = "eats";
    await net.clock.pass(2);
    void client.rpc("never").catch(() => undefined);
    await net.clock.pass(6);
    expect(client.transport).not.toBe("stream");
    expect(report(client, "stream").buffered).toBe(true);
  });
});

describe("attempts", () => {
  const most = (net: Network, seconds: number) => {
    const times = net.attempts.map((each) => each.at);
    return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + seconds).length));
  };

  it.each(["blocked", "broken"] as const)("are rare where everything is %s", async (weather) => {
    const net = new Network();
    for (const kind of Object.keys(net.weather) as Kind[]) net.weather[kind] = weather;
    start(net);
    await net.clock.pass(600);
    expect(most(net, 1)).toBeLessThanOrEqual(9);
    expect(net.attempts.filter((each) => each.at > net.clock.time - 300).length).toBeLessThan(150);
  });

  it("wait between half a second and thirty, drawn for each", async () => {
    const net = new Network();
    net.weather.websocket = "blocked";
    const draws = [0, 0.99];
    const context = { ...net.context, random: () => (draws.push(draws.shift()!), draws[0]!) };
    const { client } = start(net, { wires: "websocket", context });
    const pauses: number[] = [];
    client.on("state", ({ retryIn }) => retryIn && pauses.push(retryIn));
    await net.clock.pass(600);
    expect(pauses.length).toBeGreaterThan(15);
    for (const pause of pauses) {
      expect(pause).toBeGreaterThanOrEqual(0.5);
      expect(pause).toBeLessThanOrEqual(30);
    }
    expect(Math.min(...pauses.slice(6))).toBeLessThan(1);
    expect(Math.max(...pauses.slice(6))).toBeGreaterThan(25);
  });

  it("of a server that takes each wire and breaks it are rare, too", async () => {
    const net = new Network();
    start(net);
    for (let count = 0; count < 3000; count++) {
      await net.clock.pass(0.1);
      for (const line of net.open) line.breaks();
    }
    expect(net.attempts.length).toBeLessThan(80);
  });

  it("go at once when the network is back", async () => {
    const net = new Network();
    const { client } = await live(net, { wires: "websocket" });
    net.weather.websocket = "blocked";
    net.open[0]!.breaks();
    await net.clock.pass(120);
    expect(client.state).toBe("offline");
    net.weather.websocket = "well";
    say(page, "online");
    await net.clock.pass(0.3);
    expect(client.state).toBe("live");
  });
});

describe("the page", () => {
  it("that goes offline learns within 5 s whether its wire still lives", async () => {
    const net = new Network();
    const { client } = await live(net, { wires: "websocket" });
    say(page, "offline");
    await net.clock.pass(10);
    expect(client.state).toBe("live");
    net.weather.websocket = "hole";
    say(page, "offline");
    await net.clock.pass(5.5);
    expect(client.state).toBe("offline");
  });

  it("that slept goes on with its wire where that still lives, and blames nothing", async () => {
    const net = new Network();
    const { client, states } = await live(net);
    net.clock.sleep(600);
    say(document, "resume");
    await net.clock.pass(60);
    expect(client.transport).toBe("websocket");
    expect(states).toEqual(["live"]);
    expect(report(client, "websocket").failed).toBe(0);
  });

  it("that slept without being told finds out by its late timers", async () => {
    const net = new Network();
    const { client, states } = await live(net);
    net.clock.sleep(3600);
    await net.clock.pass(20);
    expect(client.transport).toBe("websocket");
    expect(states).toEqual(["live"]);
  });

  it("that slept while its wire died has another one within 7 s", async () => {
    const net = new Network();
    const { client } = await live(net);
    net.weather.websocket = "hole";
    net.clock.sleep(600);
    net.weather.websocket = "well";
    net.lines[0]!.isOpen = false;
    say(document, "resume");
    await net.clock.pass(7);
    expect(client.state).toBe("live");
    expect(client.moves).toBe(1);
  });

  it("that goes into the back-forward cache has no wire open there, and connects when it is back", async () => {
    const net = new Network();
    const { client } = await live(net);
    say(page, "pagehide", { persisted: true });
    expect(net.open).toEqual([]);
    net.clock.sleep(60);
    say(page, "pageshow", { persisted: true });
    await net.clock.pass(1);
    expect(client.state).toBe("live");
    expect(client.moves).toBe(1);
    expect(report(client, "websocket").failed).toBe(0);
  });

  it("that goes there in the middle of a move closes both wires", async () => {
    const net = new Network();
    const { client } = await live(net);
    net.roundTrip = 2;
    client.move("stream");
    await net.clock.pass(0.5);
    expect(net.open).toHaveLength(2);
    say(page, "pagehide", { persisted: true });
    await Promise.resolve();
    expect(net.open).toEqual([]);
  });

  it("that goes for good ends its session", async () => {
    const net = new Network();
    const { client } = await live(net);
    say(page, "pagehide", { persisted: false });
    await net.clock.pass(0.1);
    expect(client.state).toBe("closed");
    expect(net.open).toEqual([]);
  });

  it("is not listened to any more after close", async () => {
    const net = new Network();
    const { client } = await live(net);
    client.close();
    for (const type of ["online", "offline", "pageshow"]) say(page, type, { persisted: true });
    for (const type of ["resume", "visibilitychange", "freeze"]) say(document, type);
    await net.clock.pass(60);
    expect([net.attempts.length, client.state]).toEqual([1, "closed"]);
    expect(net.clock.waiting).toBe(0);
  });
});

describe("memory", () => {
  const kept = () => JSON.parse([...session.kept.values()][0] ?? "{}");

  it("is written down within half a second, and not for each publication", async () => {
    const net = new Network();
    const writes = vi.spyOn(session, "setItem");
    await live(net, { remember: true });
    writes.mockClear();
    for (let count = 0; count < 100; count++) {
      net.publish("room", count);
      await net.clock.pass(0.02);
    }
    await net.clock.pass(0.6);
    expect(kept().positions.room).toEqual({ epoch: "e", offset: 100 });
    expect(writes.mock.calls.length).toBeLessThanOrEqual(6);
  });

  it("keeps positions of channels that the new page has not asked for yet", async () => {
    const net = new Network();
    session.setItem(
      "wirehop:session:https://example.org/",
      JSON.stringify({ token: "", positions: { room: { epoch: "e", offset: 3 }, other: { epoch: "e", offset: 9 } } }),
    );
    const { client } = await live(net, { remember: true });
    expect(net.commands.find((each) => each.subscribe)!.subscribe).toMatchObject({ recover: true, offset: 3 });
    net.offset = 20;
    net.publish("room", 1);
    await net.clock.pass(1);
    expect(kept().positions).toEqual({ room: { epoch: "e", offset: 21 }, other: { epoch: "e", offset: 9 } });
    client.channel("other");
    await net.clock.pass(1);
    expect(net.commands.filter((each) => each.subscribe).at(-1)!.subscribe).toMatchObject({ channel: "other", offset: 9 });
  });

  it("does not take a channel back that is left and asked for again", async () => {
    const net = new Network();
    session.setItem(
      "wirehop:session:https://example.org/",
      JSON.stringify({ token: "", positions: { room: { epoch: "e", offset: 3 } } }),
    );
    const { client } = await live(net, { remember: true });
    net.give(net.open[0]!, [{ push: { channel: "room", unsubscribe: { code: 2000, reason: "by the server" } } }]);
    await net.clock.pass(1);
    client.channel("room");
    await net.clock.pass(1);
    expect(net.commands.filter((each) => each.subscribe).at(-1)!.subscribe!.recover).toBeUndefined();
  });

  it("of a duplicated tab gives it the session once: the first tab begins its own, and nobody takes it back", async () => {
    const net = new Network();
    const first = await live(net, { remember: true });
    await net.clock.pass(1);
    const token = kept().token as string;
    const copy = new Store();
    for (const [key, value] of session.kept) copy.setItem(key, value);
    const line = net.open[0]!;
    vi.stubGlobal("sessionStorage", copy);
    const second = await live(net, { remember: true });
    expect(net.commands.at(-1)).toBeDefined();
    net.tokens.delete(token);
    line.breaks(3600, "superseded");
    await net.clock.pass(5);
    expect([first.client.state, second.client.state]).toEqual(["live", "live"]);
    const shown = net.commands.filter((each) => each.connect).map((each) => each.connect!.wh!.token);
    expect(shown).toEqual([undefined, token, undefined]);
    expect(first.client.id).not.toBe(second.client.id);
    net.publish("room", 1);
    await net.clock.pass(1);
    expect([first.seen, second.seen]).toEqual([[1], [1]]);
    expect(net.open).toHaveLength(2);
  });

  it("is gone after close, also what was about to be written", async () => {
    const net = new Network();
    const { client } = await live(net, { remember: true });
    net.publish("room", 1);
    await net.clock.pass(0.1);
    client.close();
    say(page, "pagehide", { persisted: false });
    await net.clock.pass(2);
    expect(session.kept.size).toBe(0);
  });
});

describe("moves", () => {
  it("close what was left before a third wire is opened", async () => {
    const net = new Network();
    const { client } = await live(net);
    client.move("stream");
    await net.clock.pass(0.5);
    client.move("sse");
    await net.clock.pass(0.5);
    client.move("long-poll");
    expect(net.open.length).toBeLessThanOrEqual(2);
    await net.clock.pass(0.5);
    expect(client.transport).toBe("long-poll");
    expect(client.moves).toBe(3);
    expect(client.wires().why).toBe("the page asks for it");
  });

  it("that fail leave everything as it was, and say so", async () => {
    const net = new Network();
    const { client, seen, states } = await live(net);
    net.weather.sse = "blocked";
    const failures: string[] = [];
    client.on("moveFailed", ({ reason }) => failures.push(reason));
    client.move("sse");
    await net.clock.pass(1);
    net.publish("room", 1);
    await net.clock.pass(1);
    expect(failures).toHaveLength(1);
    expect([client.transport, states, seen]).toEqual(["websocket", ["live"], [1]]);
    expect(client.wires().why).toBe("it comes first");
  });
});

describe("the outbox", () => {
  it("waits for a connection, in order, and says when all has arrived", async () => {
    const net = new Network();
    for (const kind of Object.keys(net.weather) as Kind[]) net.weather[kind] = "blocked";
    const { client } = start(net);
    const answers: unknown[] = [];
    for (let count = 0; count < 5; count++) void client.rpc("echo", count).then((each) => answers.push(each));
    await net.clock.pass(3);
    expect([answers, client.synced]).toEqual([[], false]);
    for (const kind of Object.keys(net.weather) as Kind[]) net.weather[kind] = "well";
    await net.clock.pass(10);
    expect([answers, client.synced]).toEqual([[0, 1, 2, 3, 4], true]);
  });

  it("is bounded: what is too much fails with 106", async () => {
    const net = new Network();
    net.weather.websocket = "blocked";
    const { client } = start(net, { wires: "websocket" });
    const ends: Promise<number>[] = [];
    for (let count = 0; count < 10_005; count++) ends.push(client.rpc("m").then(() => 0, (error) => error.code as number));
    await net.clock.pass(0);
    const refused = await Promise.all(ends.slice(-5));
    expect(refused).toEqual([106, 106, 106, 106, 106]);
    client.close();
    expect(await ends[0]).toBe(120);
  });
});

describe("tokens", () => {
  it("that cannot be had are asked for again, with pauses", async () => {
    const net = new Network();
    let count = 0;
    const { client } = start(net, {
      token: () => {
        if (++count < 4) throw new Error("not yet");
        return "token";
      },
    });
    await net.clock.pass(0.4);
    expect(count).toBe(1);
    await net.clock.pass(20);
    expect([client.state, count]).toEqual(["live", 4]);
    expect(net.commands[0]!.connect!.token).toBe("token");
  });

  it("that come after the end open nothing", async () => {
    const net = new Network();
    let give!: (token: string) => void;
    const { client } = start(net, { token: () => new Promise<string>((resolve) => (give = resolve)) });
    await net.clock.pass(1);
    client.close();
    give("late");
    await net.clock.pass(5);
    expect(net.attempts).toEqual([]);
  });
});
