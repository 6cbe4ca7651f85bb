/** Each wire alone: what it sends, what it makes of answers, and that nothing of it is left behind. */

import { afterEach, describe, expect, it, vi } from "vitest";
import { FIRST_UNNUMBERED_ID } from "../src/messages.js";
import type { Command, Wire, WireContext } from "../src/wire.js";
import { JsonpWire } from "../src/wires/jsonp.js";
import { LongPollWire } from "../src/wires/long-poll.js";
import { ShortPollWire } from "../src/wires/short-poll.js";
import { SseWire } from "../src/wires/sse.js";
import { StreamWire } from "../src/wires/stream.js";
import { WebSocketWire } from "../src/wires/websocket.js";
import { CONNECT, CONNECTED, Ear, FakeSocket, FakeSource, settled, world } from "./world.js";

afterEach(() => vi.unstubAllGlobals());

function opened(make: new (context: WireContext) => Wire, more: Partial<WireContext> = {}) {
  const { clock, asked, context } = world(more);
  const wire = new make(context);
  const ear = new Ear();
  wire.open(CONNECT, ear);
  return { clock, asked, wire, ear };
}

const rpc = (id: number): Command => ({ id, rpc: { method: "m", data: null } });
const ping = (id: number): Command => ({ id, ping: {} });
const idsOf = (text: string) => text.split("\n").map((line) => (JSON.parse(line) as Command).id);

describe("websocket", () => {
  it("connects first, and sends what came meanwhile behind it", () => {
    const { wire } = opened(WebSocketWire);
    const [socket] = FakeSocket.all;
    wire.send([rpc(1)]);
    expect(String(socket!.url)).toBe("wss://example.org/connection/websocket");
    expect(socket!.sent).toEqual([]);
    socket!.open();
    wire.send([rpc(2)]);
    expect(socket!.commands.map((each) => each.id)).toEqual([CONNECT.id, 1, 2]);
  });

  it("is lost where nothing comes after the upgrade for 4 s", async () => {
    const { clock, ear } = opened(WebSocketWire);
    FakeSocket.all[0]!.open();
    await clock.pass(3.9);
    expect(ear.ends).toEqual([]);
    await clock.pass(0.2);
    expect(ear.ends).toEqual([{ code: 0, reason: "no answer after the upgrade" }]);
    expect(FakeSocket.all[0]!.closedWith).toBe(4000);
    expect(clock.waiting).toBe(0);
  });

  it("says with which code it was closed, once", () => {
    const { ear } = opened(WebSocketWire);
    FakeSocket.all[0]!.open();
    FakeSocket.all[0]!.breaks(3001, "shutdown");
    FakeSocket.all[0]!.breaks(1006);
    expect(ear.ends).toEqual([{ code: 3001, reason: "shutdown" }]);
  });

  it("is lost over what is no reply", () => {
    const { ear } = opened(WebSocketWire);
    FakeSocket.all[0]!.open();
    FakeSocket.all[0]!.onmessage!({ data: "<html>" });
    expect(ear.ends).toHaveLength(1);
  });

  it("is lost, not before it is open, where the browser refuses to make one", async () => {
    const refuse = class {
      constructor() {
        throw new DOMException("refused", "SecurityError");
      }
    } as unknown as typeof WebSocket;
    const { clock, ear } = opened(WebSocketWire, { WebSocket: refuse });
    expect(ear.ends).toEqual([]);
    await clock.pass(0);
    expect(ear.ends).toHaveLength(1);
  });

  it("closes with 4000 where the session goes on, and with 1000 and its last words where not", () => {
    const { wire, ear } = opened(WebSocketWire);
    FakeSocket.all[0]!.open();
    wire.close([rpc(9)]);
    expect(FakeSocket.all[0]!.closedWith).toBe(1000);
    expect(FakeSocket.all[0]!.commands.at(-1)!.id).toBe(9);
    expect(ear.ends).toEqual([]);
  });
});

describe.each([
  ["stream", StreamWire],
  ["sse", SseWire],
] as const)("%s", (name, make) => {
  /** Connected; `down` sends replies, `posts` are the POSTs upwards. */
  async function connected(): Promise<ReturnType<typeof opened> & { down(text: string): void; posts: () => ReturnType<typeof opened>["asked"] }> {
    const found = opened(make);
    let down: (text: string) => void;
    if (name === "sse") down = (text) => FakeSource.all[0]!.onmessage!({ data: text });
    else {
      let controller!: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
      found.asked[0]!.answer(200, body);
      down = (text) => controller.enqueue(new TextEncoder().encode(`${text}\n`));
    }
    down(JSON.stringify(CONNECTED));
    await settled();
    return { ...found, down, posts: () => found.asked.filter(({ url }) => url.pathname === "/emulation") };
  }

  it("holds commands until it is connected, and posts one after the other", async () => {
    const { wire, posts, ear } = await connected();
    expect(ear.replies).toEqual([CONNECTED]);
    wire.send([rpc(1)]);
    wire.send([rpc(2)]);
    await settled();
    expect(posts()).toHaveLength(1);
    const { session, node, data } = JSON.parse(posts()[0]!.body);
    expect([session, node, idsOf(data)]).toEqual(["s", "n", [1]]);
    posts()[0]!.answer(204);
    await settled();
    expect(idsOf(JSON.parse(posts()[1]!.body).data)).toEqual([2]);
  });

  it("sends a POST again whose answer is lost or 502, with pauses, and then is lost", async () => {
    const { clock, wire, posts, ear } = await connected();
    wire.send([rpc(1)]);
    for (let count = 1; count <= 5; count++) {
      await settled();
      expect(posts()).toHaveLength(count);
      if (count % 2) posts().at(-1)!.fail();
      else posts().at(-1)!.answer(502);
      await clock.pass(2);
    }
    expect(posts()).toHaveLength(5);
    expect(ear.ends).toHaveLength(1);
  });

  it.each([404, 400, 403])("is lost at once over a POST that is answered %i", async (status) => {
    const { wire, posts, ear } = await connected();
    wire.send([rpc(1)]);
    await settled();
    posts()[0]!.answer(status);
    await settled();
    expect(ear.ends).toHaveLength(1);
    expect(ear.ends[0]!.reason).toContain(String(status));
  });

  it("lets go of a POST that hangs after 10 s, and is lost with the second one", async () => {
    const { clock, wire, posts, ear } = await connected();
    wire.send([rpc(1)]);
    await clock.pass(10.1);
    expect(posts()[0]!.signal!.aborted).toBe(true);
    await clock.pass(0.2);
    expect(posts()).toHaveLength(2);
    await clock.pass(10.1);
    expect(ear.ends).toHaveLength(1);
  });

  it("says that bytes are held back where a ping was taken and nothing comes for 2 s", async () => {
    const { clock, wire, posts, ear } = await connected();
    await clock.pass(1);
    wire.send([ping(FIRST_UNNUMBERED_ID + 5)]);
    await settled();
    posts()[0]!.answer(204);
    await clock.pass(1.9);
    expect(ear.found).toEqual([]);
    await clock.pass(0.2);
    expect(ear.found).toEqual([{ buffered: true }]);
  });

  it("asks with a ping before it says so of a call that takes its time", async () => {
    const { clock, wire, posts, ear, down } = await connected();
    await clock.pass(1);
    wire.send([rpc(1)]);
    await settled();
    posts()[0]!.answer(204);
    await clock.pass(1.1);
    const [asked] = JSON.parse(posts()[1]!.body).data.split("\n").map((line: string) => JSON.parse(line) as Command);
    expect(asked).toEqual({ id: FIRST_UNNUMBERED_ID, ping: {} });
    posts()[1]!.answer(204);
    await settled();
    down(JSON.stringify({ id: FIRST_UNNUMBERED_ID, ping: {} }));
    await clock.pass(60);
    expect(ear.found).toEqual([]);
    expect(posts()).toHaveLength(2);
  });

  it("is lost over what is no reply, and reports no error to the page", async () => {
    const { down, ear } = await connected();
    down("<html>");
    await settled();
    expect(ear.ends).toHaveLength(1);
  });

  it("cuts what it posts into bodies of 32 KiB", async () => {
    const { wire, posts } = await connected();
    const large = (id: number): Command => ({ id, rpc: { method: "m", data: "x".repeat(20_000) } });
    wire.send([large(1), large(2), rpc(3)]);
    await settled();
    expect(idsOf(JSON.parse(posts()[0]!.body).data)).toEqual([1]);
    posts()[0]!.answer(204);
    await settled();
    expect(idsOf(JSON.parse(posts()[1]!.body).data)).toEqual([2, 3]);
  });

  it("delivers its last words by beacon, and no more than a beacon takes", async () => {
    const { wire } = await connected();
    const sendBeacon = vi.fn((_url: URL, body: string) => new TextEncoder().encode(body).length < 65_536);
    vi.stubGlobal("navigator", { sendBeacon });
    const large = (id: number): Command => ({ id, rpc: { method: "m", data: "\u20ac".repeat(9_000) } });
    wire.send([1, 2, 3, 4].map(large));
    const bye: Command = { id: 5, ping: {}, wh: { bye: true } };
    wire.close([bye]);
    expect(sendBeacon.mock.results).toEqual([{ type: "return", value: true }]);
    const ids = idsOf(JSON.parse(sendBeacon.mock.calls[0]![1]).data);
    expect(ids[0]).toBe(1);
    expect(ids.at(-1)).toBe(5);
  });

  it("leaves no timer and no request behind", async () => {
    const { clock, wire, posts, ear } = await connected();
    wire.send([rpc(1)]);
    await settled();
    posts()[0]!.answer(204);
    await settled();
    wire.close();
    await clock.pass(60);
    expect(clock.waiting).toBe(0);
    expect(ear.ends).toEqual([]);
    expect(posts()).toHaveLength(1);
  });
});

describe("sse", () => {
  it("never lets the browser connect again by itself", () => {
    const { ear } = opened(SseWire);
    const [source] = FakeSource.all;
    source!.onerror!();
    expect(source!.isClosed).toBe(true);
    expect(ear.ends).toHaveLength(1);
    expect(FakeSource.all).toHaveLength(1);
  });

  it("posts a long connect for a ticket", async () => {
    const { asked, context } = world();
    const ear = new Ear();
    new SseWire(context).open({ id: CONNECT.id!, connect: { token: "x".repeat(5000), wh: {} } }, ear);
    expect(FakeSource.all).toEqual([]);
    asked[0]!.answer(200, JSON.stringify({ cf_ticket: "42" }));
    await settled();
    expect(FakeSource.all[0]!.url.searchParams.get("cf_ticket")).toBe("42");
    expect(FakeSource.all[0]!.url.searchParams.has("cf_connect")).toBe(false);
  });

  it("is lost where no ticket is given", async () => {
    const { asked, context } = world();
    const ear = new Ear();
    new SseWire(context).open({ id: CONNECT.id!, connect: { token: "x".repeat(5000), wh: {} } }, ear);
    asked[0]!.answer(502, "{}");
    await settled();
    expect(ear.ends).toHaveLength(1);
    expect(FakeSource.all).toEqual([]);
  });
});

describe("stream", () => {
  it("joins lines that come in pieces, also inside of a character", async () => {
    const { asked, ear } = opened(StreamWire);
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    asked[0]!.answer(200, new ReadableStream({ start: (given) => void (controller = given) }));
    const bytes = new TextEncoder().encode(`${JSON.stringify({ push: { message: { data: "h\u00f6\u20ac" } } })}\n{}\n`);
    for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
    await settled();
    await settled();
    expect(ear.replies).toEqual([{ push: { message: { data: "h\u00f6\u20ac" } } }, {}]);
  });

  it("is lost when it ends, and when it is refused", async () => {
    const first = opened(StreamWire);
    first.asked[0]!.answer(200, "");
    await settled();
    expect(first.ear.ends).toEqual([{ code: 0, reason: "the stream ended" }]);
    const second = opened(StreamWire);
    second.asked[0]!.answer(404, "");
    await settled();
    expect(second.ear.ends[0]!.reason).toContain("404");
  });
});

describe.each([
  ["long-poll", LongPollWire, 25],
  ["short-poll", ShortPollWire, 0],
] as const)("%s", (_name, make, wait) => {
  const answer = (more: object) => JSON.stringify({ session: "s", poll: 1, ...more });
  async function connected() {
    const found = opened(make);
    found.asked[0]!.answer(200, answer({ batch: 1, replies: [CONNECTED] }));
    await found.clock.pass(0.2);
    return found;
  }

  it("begins with a nonce, then names its session and acknowledges the batch", async () => {
    const { asked, ear } = await connected();
    const [first, second] = asked.map(({ body }) => JSON.parse(body));
    expect(first).toMatchObject({ poll: 1, ack: 0, wait, commands: [CONNECT] });
    expect(first.nonce).toMatch(/^[a-z0-9]{24}$/);
    expect(second).toEqual({ session: "s", poll: 2, ack: 1, wait, commands: [] });
    expect(ear.replies).toEqual([CONNECTED]);
  });

  it("repeats commands until they are answered, and takes a batch once", async () => {
    const { clock, asked, wire, ear } = await connected();
    wire.send([rpc(1), rpc(2)]);
    await settled();
    const bodies = () => asked.map(({ body }) => JSON.parse(body));
    expect(bodies().at(-1)!.commands.map((each: Command) => each.id)).toEqual([1, 2]);
    asked.at(-1)!.answer(200, answer({ batch: 2, replies: [{ id: 1, rpc: {} }] }));
    asked.at(-2)!.answer(200, answer({}));
    await clock.pass(0.2);
    expect(bodies().at(-1)!).toMatchObject({ ack: 2, commands: [{ id: 2 }] });
    asked.at(-1)!.answer(200, answer({ batch: 2, replies: [{ id: 1, rpc: {} }] }));
    await clock.pass(1.1);
    expect(ear.replies).toEqual([CONNECTED, { id: 1, rpc: {} }]);
  });

  it("asks a server that answers at once with nothing ever more rarely", async () => {
    const { clock, asked } = await connected();
    for (let count = 0; count < 600; count++) {
      for (const each of asked.slice(-2)) each.answer(200, answer({}));
      await clock.pass(0.1);
    }
    expect(asked.length).toBeLessThan(70);
  });

  it("does not hurry for long over a call that takes its time", async () => {
    const { clock, asked, wire } = await connected();
    const before = asked.length;
    wire.send([rpc(1)]);
    for (let count = 0; count < 300; count++) {
      for (const each of asked.slice(-2)) each.answer(200, answer({}));
      await clock.pass(0.1);
    }
    expect(asked.length - before).toBeLessThan(50);
  });

  it("tries a poll that fails again with pauses, and then is lost", async () => {
    const { clock, asked, ear } = await connected();
    const before = asked.length;
    for (let count = 0; count < 5; count++) {
      asked.at(-1)!.answer(502, "{}");
      await clock.pass(2.1);
    }
    expect(asked.length - before).toBe(4);
    expect(ear.ends).toHaveLength(1);
    await clock.pass(60);
    expect(asked.length - before).toBe(4);
  });

  it("is lost with the first poll that hangs", async () => {
    const { clock, asked, ear } = await connected();
    await clock.pass(wait + 10.5);
    expect(asked.at(-1)!.signal!.aborted).toBe(true);
    expect(ear.ends).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });

  it("is lost over an answer of an error, and over none of ours", async () => {
    for (const text of [answer({ error: { code: 1, message: "not known" } }), JSON.stringify({ hello: 1 })]) {
      const { asked, ear } = await connected();
      asked.at(-1)!.answer(200, text);
      await settled();
      expect(ear.ends).toHaveLength(1);
    }
  });

  it("goes on where the answers of two polls come in the wrong order", async () => {
    const { clock, asked, wire } = await connected();
    wire.send([rpc(1)]);
    await settled();
    const [held, newer] = asked.slice(-2);
    newer!.answer(200, answer({ batch: 2, replies: [{ id: 1, rpc: {} }] }));
    await settled();
    const before = asked.length;
    held!.answer(200, answer({}));
    await clock.pass(2);
    expect(asked.length).toBe(before + 1);
  });

  it("has two polls under way at most", async () => {
    const { asked, wire } = await connected();
    const before = asked.length;
    for (let count = 1; count < 20; count++) wire.send([rpc(count)]);
    await settled();
    expect(asked.length - before).toBeLessThanOrEqual(2);
  });

  it("leaves no timer and no request behind", async () => {
    const { clock, asked, wire, ear } = await connected();
    const before = asked.length;
    wire.close();
    await clock.pass(60);
    expect(asked.every(({ signal }, index) => index < before - 1 || signal!.aborted)).toBe(true);
    expect([asked.length, clock.waiting, ear.ends]).toEqual([before, 0, []]);
  });
});

describe("jsonp", () => {
  class Script {
    src = "";
    isThere = false;
    onload: (() => void) | null = null;
    onerror: (() => void) | null = null;
    remove(): void {
      this.isThere = false;
    }
  }
  const callbacks = () => Object.keys(globalThis).filter((name) => name.startsWith("wirehop_"));

  function page() {
    const scripts: Script[] = [];
    const document = {
      createElement: () => new Script(),
      head: { append: (script: Script) => scripts.push(Object.assign(script, { isThere: true })) },
    } as unknown as Document;
    const found = opened(JsonpWire, { document });
    const call = (script: Script, value: object) => {
      const name = new URL(script.src).searchParams.get("callback")!;
      (globalThis as unknown as Record<string, (value: object) => void>)[name]?.(value);
      script.onload?.();
    };
    return { ...found, scripts, call };
  }

  afterEach(() => {
    for (const name of callbacks()) delete (globalThis as Record<string, unknown>)[name];
  });

  it("removes each script and its callback once it was called", async () => {
    const { clock, scripts, call, ear, wire } = page();
    call(scripts[0]!, { session: "s", poll: 1, batch: 1, replies: [CONNECTED] });
    await clock.pass(0.1);
    expect(ear.replies).toEqual([CONNECTED]);
    for (let count = 2; count < 6; count++) {
      call(scripts.at(-1)!, { session: "s", poll: count, batch: count, replies: [{}] });
      await clock.pass(0.1);
    }
    expect(callbacks()).toHaveLength(1);
    expect(scripts.filter((each) => each.isThere)).toHaveLength(1);
    wire.close();
    await settled();
    expect(scripts.filter((each) => each.isThere)).toHaveLength(0);
  });

  it("notices at once where what came was no script of ours", async () => {
    const { clock, scripts } = page();
    scripts[0]!.onload!();
    await clock.pass(0.2);
    expect(scripts).toHaveLength(2);
    expect(callbacks()).toHaveLength(1);
  });

  it("lets a script that comes too late call nothing, and forgets it then", async () => {
    const { scripts, call, wire, ear } = page();
    wire.close();
    await settled();
    expect(callbacks()).toHaveLength(1);
    call(scripts[0]!, { session: "s", batch: 1, replies: [CONNECTED] });
    expect(callbacks()).toEqual([]);
    expect(ear.replies).toEqual([]);
  });

  it("tries again where the script did not load, and is lost in the end", async () => {
    const { clock, scripts, ear } = page();
    for (let count = 0; count < 5; count++) {
      scripts.at(-1)!.onerror!();
      await clock.pass(2.1);
    }
    expect(scripts).toHaveLength(5);
    expect(ear.ends).toHaveLength(1);
    expect(callbacks()).toEqual([]);
  });
});
