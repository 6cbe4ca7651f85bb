// My network: what works between this browser and the server, without a link of the lab in between. As JSON for others.

import { SERVER, element, randomId, setText } from "../ui.js";

const TICKS = 10;
const STEP_SECONDS = 15;
const DOCTOR = new URL("connection/doctor", SERVER);

const STEPS = [
  { name: "http", title: "Requests", run: http },
  { name: "clock", title: "Clock", run: clock },
  { name: "websocket", title: "WebSocket", run: websocket },
  { name: "sse", title: "Event stream, unbuffered", run: sse },
  { name: "long-poll", title: "Long poll", run: longPoll },
  { name: "rtc", title: "UDP, STUN and TURN", run: rtc, seconds: 40 },
  { name: "browser", title: "This browser has", run: browser },
];

export function mountNetwork(host, client) {
  const list = element("ul", { className: "checks", dataset: { testid: "checks" } });
  const text = element("pre", { className: "head-text", tabIndex: 0, hidden: true, ariaLabel: "The report", dataset: { testid: "network-json" } });
  const button = element("button", { type: "button", className: "button primary", dataset: { testid: "network-start" } }, "Check my network");
  const copy = element("button", { type: "button", className: "button", hidden: true, dataset: { testid: "network-copy" } }, "Copy");
  const save = element("a", { className: "button", hidden: true, download: "network.json", dataset: { testid: "network-save" } }, "Save");
  button.addEventListener("click", async () => {
    button.disabled = true;
    host.dataset.network = "on";
    const report = { at: new Date().toISOString(), server: SERVER, userAgent: navigator.userAgent, steps: {} };
    const rows = STEPS.map(({ name, title }) => element("li", { dataset: { testid: `check-${name}`, result: "running" } }, element("i", { ariaHidden: "true" }), element("b", {}, title), element("span", {}, "…")));
    list.replaceChildren(...rows);
    for (const [index, step] of STEPS.entries()) {
      const found = await limited(step.run(client), step.seconds ?? STEP_SECONDS);
      report.steps[step.name] = found;
      rows[index].dataset.result = found.result;
      setText(rows[index].lastChild, found.words);
    }
    text.textContent = JSON.stringify(report, null, 2);
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(new Blob([text.textContent], { type: "application/json" }));
    for (const part of [text, copy, save]) part.hidden = false;
    host.dataset.network = "done";
    button.disabled = false;
  });
  copy.addEventListener("click", async () => {
    await navigator.clipboard?.writeText(text.textContent);
    setText(copy, "Copied");
  });
  host.append(
    element("section", { className: "card panel race-form" }, element("p", { className: "race-words" }, "What works between this browser and this server, as it is: no link of the lab is in between."), element("div", { className: "link-orders" }, button, copy, save)),
    element("section", { className: "card panel" }, list, text));
}

async function limited(work, seconds) {
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve({ result: "failed", words: `no answer in ${seconds} s` }), seconds * 1000)));
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    return { result: "failed", words: error.message };
  } finally {
    clearTimeout(timer);
  }
}

async function http() {
  const url = `${DOCTOR}?${randomId(4)}`;
  const began = performance.now();
  const answer = await fetch(url, { cache: "no-store" });
  const info = await answer.json();
  const milliseconds = performance.now() - began;
  const protocol = performance.getEntriesByName(url).at(-1)?.nextHopProtocol || "unknown";
  return { result: "ok", words: `answered in ${milliseconds.toFixed(0)} ms; ${protocol} to the browser's peer, HTTP/${info.http} at the server`, milliseconds, protocol, http: info.http, forwarded: info.forwarded };
}

async function clock(client) {
  let best = { error: Infinity };
  for (let round = 0; round < 12; round++) {
    const sent = performance.now();
    const server = await client.rpc("lab.clock");
    const came = performance.now();
    if (came - sent < 2 * best.error) best = { offset: server - (sent + came) / 2, error: (came - sent) / 2 };
  }
  return { result: "ok", words: `known to ± ${best.error.toFixed(2)} ms; round trip ${(2 * best.error).toFixed(1)} ms`, offsetMilliseconds: best.offset, errorMilliseconds: best.error };
}

function websocket() {
  return new Promise((resolve) => {
    const began = performance.now();
    const url = new URL(DOCTOR);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    let opened = 0;
    const done = (found) => {
      socket.close();
      resolve(found);
    };
    socket.onopen = () => {
      opened = performance.now();
      socket.send("echo");
    };
    socket.onmessage = () => {
      const [open, echo] = [opened - began, performance.now() - opened];
      done({ result: "ok", words: `opened in ${open.toFixed(0)} ms, echo in ${echo.toFixed(1)} ms`, openMilliseconds: open, echoMilliseconds: echo });
    };
    socket.onerror = () => done({ result: "failed", words: "it does not open: a proxy or a firewall is against it" });
    setTimeout(() => done({ result: "failed", words: opened ? "it opens, and nothing comes back" : "it does not open" }), 8000);
  });
}

/** Ten events, 100 ms apart: how far apart do they come? */
function sse(client) {
  return new Promise((resolve) => {
    const id = randomId(8);
    const came = [];
    const stream = new EventSource(new URL(`channels/lab-race:${id}`, SERVER));
    const done = (found) => {
      stream.close();
      resolve(found);
    };
    stream.onopen = () => client.rpc("lab.ticks", { id }).catch((error) => done({ result: "failed", words: error.message }));
    stream.onmessage = () => {
      came.push(performance.now());
      if (came.length < TICKS) return;
      const gaps = came.slice(1).map((at, index) => Math.round(at - came[index]));
      const isHeld = came.at(-1) - came[0] < 450; // half of what they were sent over
      done({ result: isHeld ? "failed" : "ok", words: isHeld ? `${TICKS} events came in a lump: something on the way holds streams back` : `${TICKS} events came ${Math.min(...gaps)} to ${Math.max(...gaps)} ms apart (sent every 100)`, gapsMilliseconds: gaps });
    };
    setTimeout(() => done({ result: "failed", words: `${came.length} of ${TICKS} events came in 10 s` }), 10_000);
  });
}

async function longPoll() {
  const began = performance.now();
  await (await fetch(`${DOCTOR}?wait=1s`, { cache: "no-store" })).json();
  const milliseconds = performance.now() - began;
  return { result: milliseconds >= 950 ? "ok" : "failed", words: `an answer that was held for 1 s came after ${(milliseconds / 1000).toFixed(2)} s`, milliseconds };
}

async function rtc(client) {
  const { preflight } = await import("../sdk/wirehop.rtc.js");
  const { ok, steps } = await preflight(client, "room:lab-check");
  const words = steps.map(({ name, result }) => `${name} ${result}`).join(" · ");
  return { result: ok ? "ok" : "failed", words, steps };
}

async function browser() {
  const has = {
    WebTransport: "WebTransport" in window,
    WebSocketStream: "WebSocketStream" in window,
    RTCPeerConnection: "RTCPeerConnection" in window,
    SharedWorker: "SharedWorker" in window,
    WebLocks: "locks" in navigator,
  };
  const words = Object.entries(has).map(([name, is]) => `${name}: ${is ? "yes" : "no"}`).join(" · ");
  return { result: "ok", words: `${words}. This server has no WebTransport`, has };
}
