// What each technique that goes over the site can do in this browser: rows 7, 10, 13, 19 to 23 of the comparison.

import { echoed, events, get, script, socket, stream } from "./wires.js";
import { at, first, found, isShort, other, seen, socketAt, tag, wait, works } from "./site.js";

const FILE = isShort ? 1 << 20 : 1 << 24;
const POLLS = ["short-poll", "long-poll"];
const octets = Uint8Array.from({ length: 256 }, (_, index) => index);

const isOctets = (data) => {
  const bytes = new Uint8Array(data);
  return bytes.length === 256 && bytes.every((byte, index) => byte === index);
};
const isOctetText = (text) => text.length === 256 && [...octets].every((byte) => text.charCodeAt(byte) === byte);
const post = (body, values = {}, origin = "") =>
  fetch(at("/answer", values, origin), { method: "POST", headers: { "Content-Type": "application/json" }, body });

/** Figures of several techniques that share a way. */
const same = (techniques, ability, value, method) =>
  techniques.map((technique) => [`can/${ability}/${technique}`, value, { samples: 1, method }]);

/** Bytes of the heads of requests. */
export async function heads() {
  const names = { poll: tag("head"), script: tag("head"), post: tag("head"), events: tag("head"), stream: tag("head"), socket: tag("head") };
  await get({ tag: names.poll });
  await script({ tag: names.script });
  await post("{}", { tag: names.post });
  (await events({ tag: names.events })).close();
  (await stream({ tag: names.stream })).close();
  (await socket({ tag: names.socket })).close();
  const size = async (name) => (await seen(name))[0].head;
  const entry = async (technique, name, method) => [`head/${technique}`, await size(name), { unit: "bytes", samples: 1, method }];
  await found(
    await entry("short-poll", names.poll, "a GET by fetch, first line and headers, HTTP/1.1"),
    await entry("long-poll", names.poll, "a GET by fetch, first line and headers, HTTP/1.1"),
    await entry("jsonp", names.script, "a GET by a script element, first line and headers, HTTP/1.1"),
    await entry("sse", names.events, "the GET of an EventSource, first line and headers, HTTP/1.1"),
    await entry("sse-post", names.post, "the POST of JSON for each message up, first line and headers, HTTP/1.1"),
    await entry("stream", names.stream, "a GET by fetch, first line and headers, HTTP/1.1"),
    await entry("websocket", names.socket, "the handshake's request, first line and headers, HTTP/1.1"),
  );
}

/** Text, bytes, files. */
export async function contents() {
  const text = "grüße, 世界 🌍";
  const encoded = new TextEncoder().encode(text);
  const decode = (data) => new TextDecoder().decode(data);
  const fetchText = await works(async () => decode(await (await post(text)).arrayBuffer()) === text);
  const fetchBytes = await works(async () => isOctets((await get({ path: "/bytes" })).data) && isOctets(await (await post(octets)).arrayBuffer()));
  const fetchFile = await works(async () => (await get({ size: FILE })).data.byteLength === FILE && (await (await post(new Uint8Array(FILE))).arrayBuffer()).byteLength === FILE, 30000);
  const plain = "there and back by fetch";
  const scriptText = await works(async () => (await script({ size: 20 })).data.length === 20);
  const scriptBytes = await works(async () => isOctetText((await script({ path: "/bytes", kind: "script" })).data), 3000);
  const scriptFile = await works(async () => (await script({ size: FILE })).data.length === FILE, 30000);
  const eventText = await works(async () => {
    const event = await events();
    event.close();
    return event.data === "first";
  });
  const eventBytes = await works(async () => {
    const event = await events({ kind: "bytes" });
    event.close();
    return isOctetText(event.data);
  });
  const eventFile = await works(async () => {
    const event = await events({ kind: "large" });
    event.close();
    return event.data.length === 1 << 24;
  }, 30000);
  const streamBytes = await works(async () => {
    const piece = await stream({ need: 256 });
    piece.close();
    return isOctets(piece.data);
  });
  const streamFile = await works(async () => {
    const piece = await stream({ kind: "large", need: 1 << 24 });
    piece.close();
    return piece.size === 1 << 24;
  }, 30000);
  const socketText = await works(async () => (await echoed(text)) === text);
  const socketBytes = await works(async () => isOctets(await echoed(octets)));
  const socketFile = await works(async () => (await echoed(new Uint8Array(FILE))).byteLength === FILE, 30000);
  const large = `${FILE.toLocaleString("en")} bytes`;
  await found(
    ...same(POLLS, "text", fetchText, plain),
    ...same(POLLS, "binary", fetchBytes, `the 256 values of a byte, ${plain}`),
    ...same(POLLS, "files", fetchFile, `${large}, ${plain}`),
    ...same(["jsonp"], "text", scriptText, "the argument of a call"),
    ...same(["jsonp"], "binary", scriptBytes, "the 256 values of a byte as a string in a script"),
    ...same(["jsonp"], "files", scriptFile, `${large} down, in one call`),
    ...same(["sse", "sse-post"], "text", eventText, "an event"),
    ...same(["sse", "sse-post"], "binary", eventBytes, "the 256 values of a byte in an event"),
    ...same(["sse", "sse-post"], "files", eventFile, "16 MiB in one event"),
    ...same(["stream"], "text", encoded.length > 0 && streamBytes, "bytes, which the page decodes"),
    ...same(["stream"], "binary", streamBytes, "the 256 values of a byte in a body that does not end"),
    ...same(["stream"], "files", streamFile, "16 MiB in a body that does not end"),
    ...same(["websocket"], "text", socketText, "there and back"),
    ...same(["websocket"], "binary", socketBytes, "the 256 values of a byte, there and back"),
    ...same(["websocket"], "files", socketFile, `${large} in one message, there and back`),
  );
}

/** Whether a page sees that what it sent is still on its way. */
export async function backpressure() {
  const waits = async () => {
    let isOver = false;
    const answer = post("{}", { delay: 400 }).then(() => (isOver = true));
    await wait(150);
    const before = isOver;
    await answer;
    return !before && isOver;
  };
  const isFetch = await works(waits);
  const isScript = await works(async () => {
    let isOver = false;
    const answer = script({ delay: 400 }).then(() => (isOver = true));
    await wait(150);
    const before = isOver;
    await answer;
    return !before && isOver;
  });
  const isSocket = await works(async () => {
    const { open, close } = await socket({ kind: "slow" });
    open.send(new Uint8Array(1 << 23));
    const most = open.bufferedAmount;
    await first(open, "message");
    const left = open.bufferedAmount;
    close();
    return most > 0 && left === 0;
  }, 15000);
  await found(
    ...same([...POLLS, "sse-post", "stream"], "backpressure", isFetch, "what goes up is a request, whose promise waits for the answer"),
    ...same(["jsonp"], "backpressure", isScript, "what goes up is a request, which loads when it is answered"),
    ...same(["websocket"], "backpressure", isSocket, "bufferedAmount rises with a message, and falls"),
  );
}

/** Headers of one's own, cookies, a ticket in the address, another origin, compression: what the site saw of requests. */
export async function requests() {
  await fetch("/cookie");
  const here = {};
  const there = {};
  const bare = {};
  const name = (kind) => tag(`request-${kind}`);
  const ways = {
    poll: { techniques: POLLS, go: (values, origin, isAway) => get(values, origin, isAway ? { credentials: "include" } : { headers: { "X-Own": "yes" } }), plain: (values, origin) => get(values, origin) },
    script: { techniques: ["jsonp"], go: (values, origin) => script(values, origin), plain: (values, origin) => script(values, origin) },
    events: { techniques: ["sse"], go: (values, origin, isAway) => events(values, origin, isAway ? { withCredentials: true } : { headers: { "X-Own": "yes" } }), plain: (values, origin) => events(values, origin) },
    stream: { techniques: ["stream"], go: (values, origin, isAway) => stream(values, origin, isAway ? { credentials: "include" } : { headers: { "X-Own": "yes" } }), plain: (values, origin) => stream(values, origin) },
    socket: { techniques: ["websocket"], go: (values, origin) => socket(values, origin || location.origin), plain: (values, origin) => socket(values, origin) },
  };
  for (const [kind, way] of Object.entries(ways)) {
    const [own, away, plain] = [name(kind), name(kind), name(kind)];
    (await way.go({ tag: own, ticket: "t1", kind: "gzip" }, "", false)).close();
    const isAcross = await works(async () => (await way.go({ tag: away }, other, true)).close() ?? true);
    await works(async () => (await way.plain({ tag: plain }, other)).close() ?? true);
    here[kind] = (await seen(own))[0];
    there[kind] = { isAcross, requests: await seen(away) };
    bare[kind] = await seen(plain);
    const last = there[kind].requests.at(-1);
    const isPacked = kind === "socket" ? /permessage-deflate/.test(here[kind].headers["sec-websocket-extensions"] ?? "") : /gzip/.test(here[kind].headers["accept-encoding"] ?? "");
    const techniques = kind === "events" ? ["sse", "sse-post"] : way.techniques;
    await found(
      ...same(techniques, "headers", here[kind].headers["x-own"] === "yes", "a header X-Own given where the interface takes options; what the server saw"),
      ...same(techniques, "cookies", /probe=yes/.test(here[kind].headers.cookie ?? ""), "what the server saw, same origin"),
      ...same(techniques, "ticket", here[kind].tag === own, "a parameter of the address reached the server"),
      ...same(techniques, "cross-origin", isAcross, "to another port that allows it"),
      ...same(techniques, "credentials", /probe=yes/.test(last?.headers.cookie ?? ""), "a cookie reached another port that allows it"),
      ...same(techniques, "compression", isPacked, kind === "socket" ? "offers permessage-deflate" : "says that it takes gzip, and read an answer in it"),
    );
    if (kind !== "events") {
      await found(...same(way.techniques, "preflight", bare[kind].some((each) => each.method === "OPTIONS"), "to another port without headers of one's own: whether OPTIONS came first"));
    }
  }
  const posted = tag("request-post");
  await works(async () => post("{}", { tag: posted }, other));
  await found(
    ...same(["sse"], "preflight", bare.events.some((each) => each.method === "OPTIONS"), "to another port: whether OPTIONS came first"),
    ...same(["sse-post"], "preflight", (await seen(posted)).some((each) => each.method === "OPTIONS"), "to another port: whether OPTIONS came before a POST of JSON"),
  );
}

/** Upload streams, over HTTP/1.1. */
export async function uploads() {
  const works_ = await works(async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(octets);
        controller.close();
      },
    });
    const answer = await fetch("/answer", { method: "POST", body, duplex: "half" });
    return isOctets(await answer.arrayBuffer());
  });
  await found(...same(["stream"], "upload-stream", works_, "a ReadableStream as the body of a POST over HTTP/1.1"));
}

/** What there is, and what of it works in a worker. */
export async function presence() {
  const inWorker = await works(async () => {
    const worker = new Worker("/worker.js");
    const answer = new Promise((resolve) => (worker.onmessage = (event) => resolve(event.data)));
    worker.postMessage({ events: at("/events", {}, location.origin), answer: at("/answer", {}, location.origin), stream: at("/stream", {}, location.origin), socket: socketAt("/socket") });
    presence.worker = await answer;
    worker.terminate();
  }, 20000);
  const there = {
    "short-poll": "fetch" in window,
    "long-poll": "fetch" in window,
    jsonp: true,
    sse: "EventSource" in window,
    "sse-post": "EventSource" in window && "fetch" in window,
    stream: "ReadableStream" in window && "body" in Response.prototype,
    websocket: "WebSocket" in window,
    webtransport: "WebTransport" in window,
    "data-channel": "RTCPeerConnection" in window && "createDataChannel" in RTCPeerConnection.prototype,
    "data-channel-unreliable": "RTCPeerConnection" in window && "createDataChannel" in RTCPeerConnection.prototype,
    media: "RTCPeerConnection" in window && "addTrack" in RTCPeerConnection.prototype,
  };
  await found(...Object.entries(there).flatMap(([technique, is]) => same([technique], "present", is, "the interface is there")));
  if (!inWorker) return;
  await found(...Object.entries(presence.worker).flatMap(([technique, is]) => same([technique], "worker", is, "used in a dedicated worker; of WebRTC and WebTransport: the interface is there")));
}
