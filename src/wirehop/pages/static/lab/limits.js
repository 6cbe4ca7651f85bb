// Limits: how many connections this browser opens to one origin, and what happens to everything else at the limit.
//
// The origin is a port of the lab's own, so that the page itself stays alive. All is closed again.

import { element, setText } from "../ui.js";

const MOST = { sse: 24, websocket: 300 };
const PATIENCE = 3000; // milliseconds that a connection may take to open
const FROZEN = 1500;
const CHANNEL = "channels/lab-race:limits";

export function mountLimits(host, links) {
  const rows = element("tbody");
  const said = element("p", { className: "race-words", role: "status", dataset: { testid: "limits-state" } }, "Opens connections to one origin until this browser opens no more, looks whether a request still gets through, and closes all.");
  const buttons = [["sse", "EventSource"], ["websocket", "WebSocket"]].map(([kind, title]) => {
    const button = element("button", { type: "button", className: "button", dataset: { testid: `limits-${kind}` } }, `Count ${title}`);
    button.addEventListener("click", () => run(kind, title));
    return button;
  });
  host.append(
    element("section", { className: "card panel race-form" }, element("div", { className: "link-orders" }, ...buttons), said),
    element("section", { className: "card panel" }, element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "Limits found" },
      element("table", { dataset: { testid: "limits-table" } }, element("thead", {}, element("tr", {}, ...["Kind", "Opened", "The next one", "A request meanwhile", "After closing"].map((title) => element("th", { scope: "col" }, title)))), rows))));

  const run = async (kind, title) => {
    for (const button of buttons) button.disabled = true;
    try {
      const ports = await links.open();
      const origin = `127.0.0.1:${ports[kind]}`;
      const show = (count) => setText(said, `${count} open…`);
      const found = kind === "sse" ? await countStreams(origin, show) : await countSockets(origin, show);
      const row = element("tr", { dataset: { kind, opened: found.opened, meanwhile: found.meanwhile } },
        ...[title, found.opened >= MOST[kind] ? `${found.opened}, and stopped counting` : found.opened, found.next, found.meanwhile, found.after].map((text) => element("td", {}, String(text))));
      rows.prepend(row);
      setText(said, "All are closed again.");
    } catch (error) {
      setText(said, error.message);
    }
    for (const button of buttons) button.disabled = false;
  };
}

/** Whether a request to that origin gets through, in words. */
async function request(origin) {
  const began = performance.now();
  try {
    await fetch(`${location.protocol}//${origin}/health?${began}`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(FROZEN) });
    return `answered in ${Math.round(performance.now() - began)} ms`;
  } catch {
    return `frozen: no answer in ${FROZEN / 1000} s`;
  }
}

async function countStreams(origin, show) {
  const open = [];
  let next = "was opened as well";
  const one = () => new Promise((resolve) => {
    const stream = new EventSource(`${location.protocol}//${origin}/${CHANNEL}`);
    open.push(stream);
    const timer = setTimeout(() => resolve("waits"), PATIENCE);
    stream.onopen = () => resolve("open", clearTimeout(timer));
    stream.onerror = () => resolve("is refused", clearTimeout(timer));
  });
  let opened = 0;
  try {
    while (opened < MOST.sse) {
      const result = await one();
      if (result !== "open") {
        next = result === "waits" ? `waits for ever (${PATIENCE / 1000} s)` : result;
        break;
      }
      show(++opened);
    }
    const meanwhile = await request(origin);
    return { opened, next, meanwhile, after: await closed(origin, open) };
  } finally {
    for (const stream of open) stream.close();
  }
}

async function countSockets(origin, show) {
  const open = [];
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const one = () => new Promise((resolve) => {
    const socket = new WebSocket(`${scheme}://${origin}/${CHANNEL}`);
    open.push(socket);
    const timer = setTimeout(() => resolve("waits"), PATIENCE);
    socket.onopen = () => resolve("open", clearTimeout(timer));
    socket.onerror = () => resolve("is refused", clearTimeout(timer));
  });
  let opened = 0;
  let next = "was opened as well";
  try {
    while (opened < MOST.websocket) {
      const result = await one(); // browsers open them one after the other anyway
      if (result !== "open") {
        next = result;
        break;
      }
      show(++opened);
    }
    const meanwhile = await request(origin);
    return { opened, next, meanwhile, after: await closed(origin, open) };
  } finally {
    for (const socket of open) socket.close();
  }
}

async function closed(origin, open) {
  for (const each of open) each.close();
  return request(origin);
}
