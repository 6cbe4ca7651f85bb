// Clients that others wrote, driven by lines of JSON: orders on stdin, events and results on stdout.
//
// Orders: {open: id, build, transport, address, options}, {subscribe: id, channel, options},
// {call: number, id, channel, method, args}, {listen: id, address, events, options}, {close: id}.
// Bytes are {"$bytes": base64} both ways. It knows nothing of what the tests want.

import { createInterface } from "node:readline";
import { Centrifuge } from "centrifuge";
import { Centrifuge as CentrifugeProtobuf } from "centrifuge/build/protobuf";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";

const PATHS = { websocket: "/connection/websocket", sse: "/connection/sse", http_stream: "/connection/http_stream" };
const CLIENT_EVENTS = ["connecting", "connected", "disconnected", "message", "error"];
const CHANNEL_EVENTS = ["subscribing", "subscribed", "unsubscribed", "publication", "join", "leave"];
const DELAYS = { minReconnectDelay: 20, maxReconnectDelay: 60 };

const clients = new Map();
const sources = new Map();

function packed(key, value) {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Error) return { code: value.code, message: value.message };
  if (value?.type === "Buffer" && Array.isArray(value.data)) return { $bytes: Buffer.from(value.data).toString("base64") };
  if (value?.constructor?.name === "Long") return value.toNumber();
  return value;
}

function unpacked(key, value) {
  return typeof value?.$bytes === "string" ? new Uint8Array(Buffer.from(value.$bytes, "base64")) : value;
}

function say(message) {
  process.stdout.write(JSON.stringify(message, packed) + "\n");
}

// Tokens are handed out one after the other; when they are used up there is none.
function handedOut({ tokens, ...options } = {}) {
  if (tokens) options.getToken = async () => tokens.shift() ?? "";
  return options;
}

function open({ open: id, build, transport, address, options }) {
  const url = (transport === "websocket" ? address.replace(/^http/, "ws") : address) + PATHS[transport];
  const Client = build === "protobuf" ? CentrifugeProtobuf : Centrifuge;
  const client = new Client([{ transport, endpoint: url }], {
    ...DELAYS,
    emulationEndpoint: address + "/emulation",
    websocket: WebSocket,
    eventsource: EventSource,
    fetch,
    readableStream: ReadableStream,
    ...handedOut(options),
  });
  for (const event of [...CLIENT_EVENTS, ...CHANNEL_EVENTS]) {
    client.on(event, (context) => say({ id, event, ...context }));
  }
  clients.set(id, client);
  client.connect();
}

function subscribe({ subscribe: id, channel, options }) {
  const subscription = clients.get(id).newSubscription(channel, {
    minResubscribeDelay: 20,
    maxResubscribeDelay: 60,
    ...handedOut(options),
  });
  for (const event of [...CHANNEL_EVENTS, "error"]) {
    subscription.on(event, (context) => say({ id, event: event === "error" ? "subscription_error" : event, ...context, channel }));
  }
  subscription.subscribe();
}

async function call({ call: number, id, channel, method, args }) {
  const client = clients.get(id);
  const target = channel ? client.getSubscription(channel) : client;
  try {
    say({ id, result: number, value: (await target[method](...args)) ?? null });
  } catch (error) {
    say({ id, result: number, error });
  }
}

function listen({ listen: id, address, events, options }) {
  const source = new EventSource(address, options);
  source.onopen = () => say({ id, event: "open" });
  source.onerror = (error) => say({ id, event: "error", code: error.code ?? 0, state: source.readyState });
  for (const event of ["message", ...events]) {
    source.addEventListener(event, ({ data, lastEventId }) => say({ id, event, data, lastEventId }));
  }
  sources.set(id, source);
}

function close({ close: id }) {
  clients.get(id)?.disconnect();
  sources.get(id)?.close();
  clients.delete(id);
  sources.delete(id);
}

const ORDERS = { open, subscribe, call, listen, close };

createInterface({ input: process.stdin }).on("line", (line) => {
  const order = JSON.parse(line, unpacked);
  const name = Object.keys(ORDERS).find((each) => each in order);
  ORDERS[name](order);
}).on("close", () => process.exit(0));
