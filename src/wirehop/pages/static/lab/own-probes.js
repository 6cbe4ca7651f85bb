// What only the visitor's own browser and network can say: which techniques are there, and which come through.

import { connect } from "../sdk/wirehop.js";
import { randomId } from "../ui.js";

const PATIENCE = 10_000; // milliseconds for a wire to be live
const WIRES = { "websocket": "websocket", "stream": "stream", "sse-post": "sse", "long-poll": "long-poll", "short-poll": "short-poll" };

const today = () => new Date().toISOString().slice(0, 10);

/** For each technique, whether this browser has what it needs. JSONP needs a script element, so there is nothing to ask. */
export function browserEntries() {
  const found = {
    "short-poll": "fetch" in globalThis || "XMLHttpRequest" in globalThis,
    "long-poll": "fetch" in globalThis || "XMLHttpRequest" in globalThis,
    "sse": "EventSource" in globalThis,
    "sse-post": "EventSource" in globalThis,
    "stream": "ReadableStream" in globalThis && "body" in Response.prototype,
    "websocket": "WebSocket" in globalThis,
    "webtransport": "WebTransport" in globalThis,
    "data-channel": "RTCPeerConnection" in globalThis && "createDataChannel" in RTCPeerConnection.prototype,
    "data-channel-unreliable": "RTCPeerConnection" in globalThis && "createDataChannel" in RTCPeerConnection.prototype,
    "media": "RTCPeerConnection" in globalThis && "addTrack" in RTCPeerConnection.prototype,
  };
  const said = [`asked of this browser, ${today()}: ${navigator.userAgent}`];
  return Object.fromEntries(Object.entries(found).map(([name, is]) => [name, { text: is ? "yes" : "no", kind: "B", said }]));
}

/** Each wire by itself, one after the other: a session of its own, and the round trip of a ping. */
export async function probeNetwork(server) {
  const entries = {};
  for (const [technique, wire] of Object.entries(WIRES)) entries[technique] = await probe(server, wire);
  return entries;
}

const STEPS = { "stun-udp": "UDP", "turn-udp": "relay over UDP", "turn-tcp": "over TCP", "turn-tls": "over TLS", "relay": "data through it" };
const RESULTS = { ok: "yes", failed: "no", skipped: "not tried" };

/** Which ways a call could take from here: the pre-flight of calls, in a room of its own. Nothing where there are no rooms. */
export async function probeCalls(client) {
  const { preflight } = await import("../sdk/wirehop.rtc.js");
  const { steps } = await preflight(client, `room:${randomId(8)}`);
  const tried = steps.filter(({ name }) => name in STEPS);
  if (!tried.length) return {};
  const text = tried.map(({ name, result }) => `${STEPS[name]} ${RESULTS[result]}`).join(", ");
  const reasons = tried.filter(({ reason }) => reason).map(({ name, reason }) => `${STEPS[name]}: ${reason}`);
  const entry = { text, kind: "D", said: [`the pre-flight of calls, ${today()}`, ...reasons] };
  return Object.fromEntries(["data-channel", "data-channel-unreliable", "media"].map((name) => [name, entry]));
}

async function probe(server, wire) {
  const client = connect(server, { wires: [wire] });
  const said = [`a session of its own over ${wire} to ${new URL(server).host}, ${today()}`];
  try {
    await Promise.race([live(client), expired()]);
    const seconds = await client.ping();
    return { text: `comes through, ${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms there and back`, kind: "D", said };
  } catch (error) {
    return { text: `does not come through: ${error.message}`, kind: "D", said };
  } finally {
    client.close();
  }
}

function live(client) {
  return new Promise((resolve, reject) => {
    const look = (change) => {
      if (client.state === "live") resolve();
      if (client.state === "closed") reject(new Error(change?.reason || "closed"));
    };
    client.on("state", look);
    look();
  });
}

const expired = () => new Promise((_, reject) => setTimeout(() => reject(new Error(`nothing within ${PATIENCE / 1000} s`)), PATIENCE));
