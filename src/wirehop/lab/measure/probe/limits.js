// How many connections, and what comes back by itself: rows 14 and 18.

import { at, found, isShort, seen, socketAt, tag, wait, within, first } from "./site.js";

const MOST_STREAMS = 12;
const MOST_SOCKETS = 300;
const STALL = 2500;

async function eventStreams() {
  const open = [];
  try {
    while (open.length < MOST_STREAMS) {
      const source = new EventSource(at("/events", { n: open.length }));
      open.push(source);
      await within(STALL, first(source, "message", ""));
    }
    return open.length;
  } catch {
    return open.length - 1;
  } finally {
    open.forEach((source) => source.close());
  }
}

async function fetchStreams() {
  const open = [];
  try {
    while (open.length < MOST_STREAMS) {
      const control = new AbortController();
      open.push(control);
      await within(STALL, fetch(at("/stream", { n: open.length }), { signal: control.signal }));
    }
    return open.length;
  } catch {
    return open.length - 1;
  } finally {
    open.forEach((control) => control.abort());
  }
}

async function sockets() {
  const open = [];
  try {
    while (open.length < MOST_SOCKETS) {
      const socket = new WebSocket(socketAt("/socket"));
      open.push(socket);
      await within(STALL * 2, first(socket, "open"));
    }
    return open.length;
  } catch {
    return open.length - 1;
  } finally {
    await Promise.all(open.map((socket) => within(STALL * 4, closed(socket)).catch(() => {})));
  }
}

function closed(socket) {
  const over = first(socket, "close", "");
  socket.close();
  return socket.readyState === WebSocket.CLOSED ? Promise.resolve() : over;
}

const held = (count, most) => (count === most ? `opened one after the other until ${most}, where the probe ends` : "opened one after the other until one was refused or stalled");

export async function limits() {
  const events = await eventStreams();
  await wait(300);
  const streams = await fetchStreams();
  await wait(300);
  const entry = (technique, count, most) => [`limit/${technique}/http1`, count, { unit: "connections", samples: 1, method: held(count, most) }];
  await found(entry("sse", events, MOST_STREAMS), entry("sse-post", events, MOST_STREAMS), entry("stream", streams, MOST_STREAMS), entry("long-poll", streams, MOST_STREAMS));
  if (!isShort) await found(entry("websocket", await sockets(), MOST_SOCKETS));
}

/** What the site closes: who comes again by itself, when, and with what. */
export async function reconnects() {
  const [events, socket, stream] = [tag("again"), tag("again"), tag("again")];
  const source = new EventSource(at("/events", { kind: "close", tag: events }));
  const other = new WebSocket(socketAt("/socket", { kind: "close", tag: socket }));
  const body = fetch(at("/stream", { kind: "close", tag: stream })).then((answer) => answer.arrayBuffer()).catch(() => {});
  await within(8000, first(source, "message", ""));
  await within(8000, first(source, "error", ""));
  const lost = performance.now();
  await within(15000, first(source, "open", ""));
  const seconds = (performance.now() - lost) / 1000;
  source.close();
  await body;
  const came = await seen(events);
  const last = came.at(-1).headers["last-event-id"] === "7";
  const isBack = async (name) => (await seen(name)).length > 1;
  const silent = `closed by the server: did not come again within ${seconds.toFixed(0)} s`;
  const asked = { samples: 1, method: "the request of an EventSource that came again" };
  await found(
    ["reconnect/sse", seconds, { unit: "s", samples: 1, method: "from the end of the stream, which says no `retry:`, to the next" }],
    ["can/last-event-id/sse", last, asked],
    ["can/last-event-id/sse-post", last, asked],
    ["can/last-event-id/websocket", await isBack(socket), { samples: 1, method: silent }],
    ["can/last-event-id/stream", await isBack(stream), { samples: 1, method: silent }],
  );
  other.close();
}
