// Data channels between two ends in this page: bytes, latency, abilities.

import { found, first, isShort, wait, within, works } from "./site.js";

const COUNT = isShort ? 100 : 1000;
const EVERY = 5;
const SIZES = [20, 200, 2000];
const WEIGHED = isShort ? 20 : 50;
const UNRELIABLE = { ordered: false, maxRetransmits: 0 };

/** Two connected ends. `prepare` adds to the first what is to be negotiated. */
async function ends(prepare) {
  const [here, there] = [new RTCPeerConnection(), new RTCPeerConnection()];
  here.onicecandidate = (event) => there.addIceCandidate(event.candidate).catch(() => {});
  there.onicecandidate = (event) => here.addIceCandidate(event.candidate).catch(() => {});
  const given = await prepare(here, there);
  await here.setLocalDescription(await here.createOffer());
  await there.setRemoteDescription(here.localDescription);
  await there.setLocalDescription(await there.createAnswer());
  await here.setRemoteDescription(there.localDescription);
  const close = () => (here.close(), there.close());
  return { here, there, given, close };
}

async function channel(options) {
  let arrived;
  const answered = new Promise((resolve) => (arrived = resolve));
  const both = await ends((here, there) => {
    there.ondatachannel = (event) => arrived(event.channel);
    const opened = here.createDataChannel("probe", options);
    opened.binaryType = "arraybuffer";
    return opened;
  });
  const far = await within(20000, answered);
  far.binaryType = "arraybuffer";
  if (both.given.readyState !== "open") await within(20000, first(both.given, "open", "close"));
  return { ...both, near: both.given, far };
}

async function sent(connection) {
  const reports = [...(await connection.getStats()).values()];
  const both = (each) => (each.bytesSent ?? 0) + (each.bytesReceived ?? 0);
  const transport = reports.find((each) => each.type === "transport" && both(each));
  const pairs = reports.filter((each) => each.type === "candidate-pair" && (each.nominated || each.selected));
  return transport ? both(transport) : Math.max(0, ...pairs.map(both));
}

async function weigh(name, { here, near, far }) {
  for (const size of SIZES) {
    let heard = 0;
    far.onmessage = () => heard++;
    await wait(1200); // what is left of acknowledgements, and the browser's own cache of figures
    const before = await sent(here);
    for (let index = 0; index < WEIGHED; index++) {
      near.send("x".repeat(size));
      await wait(20);
    }
    await wait(1200);
    const each = ((await sent(here)) - before) / WEIGHED;
    if (!heard || !each) return;
    const method = "getStats of the first end, both ways together, 20 ms apart, two ends in one page: SCTP and DTLS are in it, checks of ICE as well; UDP and IP not";
    await found(
      [`bytes/${name}/down/${size}`, each, { unit: "bytes", samples: WEIGHED, method }],
      [`bytes/${name}/up/${size}`, each, { unit: "bytes", samples: WEIGHED, method }],
    );
  }
}

const quantile = (values, share) => values[Math.min(values.length - 1, Math.max(0, Math.ceil(share * values.length) - 1))];

async function latencies(name, link, values, missed, unit, method) {
  values.sort((one, two) => one - two);
  const rest = { unit, samples: values.length, method };
  const shares = { p50: 0.5, p95: 0.95, p99: 0.99 };
  await found(
    ...Object.entries(shares).map(([word, share]) => [`latency/${name}/${link}/${word}`, quantile(values, share), rest]),
    [`missed/${name}/${link}`, missed, { unit: "messages", samples: values.length + missed, method }],
  );
}

async function race(name, { near, far }) {
  const values = [];
  const begin = performance.now() + 50;
  far.onmessage = (event) => values.push(performance.now() - (begin + Number(event.data.split(" ")[0]) * EVERY));
  for (let index = 0; index < COUNT; index++) {
    const left = begin + index * EVERY - performance.now();
    if (left > 0) await wait(left);
    near.send(`${index} ${"x".repeat(60)}`);
  }
  const until = performance.now() + 5000;
  while (values.length < COUNT && performance.now() < until) await wait(20);
  const method = "from the time at which it was to be sent, two ends in one page, 64 bytes, 200 a second; the page's timers are in it";
  if (values.length) await latencies(name, "rtt0", values, COUNT - values.length, "ms", method);
}

async function abilities(name, options, pair) {
  const { near, far } = pair;
  const echo = async (data, milliseconds) => {
    const answer = within(milliseconds, first(far, "message", ""));
    near.send(data);
    return (await answer).data;
  };
  const octets = Uint8Array.from({ length: 256 }, (_, index) => index);
  const text = await works(async () => (await echo("grüße, 世界 🌍", 4000)) === "grüße, 世界 🌍");
  const bytes = await works(async () => new Uint8Array(await echo(octets, 4000)).every((byte, index) => byte === index));
  near.bufferedAmountLowThreshold = 0;
  const pressure = await works(async () => {
    const low = first(near, "bufferedamountlow", "");
    for (let index = 0; index < 64; index++) near.send(new Uint8Array(16384));
    const most = near.bufferedAmount;
    await within(10000, low);
    return most > 0;
  }, 12000);
  await wait(500);
  const file = await works(async () => (await echo(new Uint8Array(1 << 24), 20000)).byteLength === 1 << 24, 25000);
  const entry = (ability, value, method) => [`can/${ability}/${name}`, value, { samples: 1, method }];
  await found(
    entry("text", text, "from end to end in one page"),
    entry("binary", bytes, "the 256 values of a byte, from end to end in one page"),
    entry("backpressure", pressure, "bufferedAmount rises with what is sent, and an event says that it fell"),
    entry("files", file, "16 MiB in one message, from end to end in one page"),
  );
}

export async function channels() {
  for (const [name, options] of [["data-channel", {}], ["data-channel-unreliable", UNRELIABLE]]) {
    const pair = await channel(options);
    await race(name, pair);
    await weigh(name, pair);
    await abilities(name, options, pair);
    pair.close();
  }
}
