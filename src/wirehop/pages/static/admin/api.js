// What the page asks the server, and numbers as text.

import { element, setText } from "../ui.js";

const TIMEOUT = 10_000;

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0: the server could not be reached
  }
}

async function request(what, options) {
  let response;
  try {
    // The header is what no page of another origin can send.
    const headers = { "X-Wirehop-Admin": "1", ...options.headers };
    response = await fetch(`api/${what}`, { ...options, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
  } catch {
    throw new ApiError(0, "The server cannot be reached.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ApiError(response.status, answer.error?.message ?? `HTTP ${response.status}`);
  return answer;
}

/** A question. Values that are empty are left out. */
export function ask(what, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== 0);
  return request(given.length ? `${what}?${new URLSearchParams(given)}` : what, { method: "GET" });
}

/** An order. */
export const tell = (what, body = {}) =>
  request(what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

// ---- text -----------------------------------------------------------------------------------------------------------

const whole = new Intl.NumberFormat("en");
export const count = (value) => whole.format(value);

/** Rates: one digit behind the point below 100, thousands as k. */
export function rate(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(value >= 100_000 ? 0 : 1)}k`;
  return value >= 100 || Number.isInteger(value) ? whole.format(Math.round(value)) : value.toFixed(1);
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${scaled >= 100 || power === 0 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[power]}`;
}

/** The two largest units: “3 h 12 min”. */
export function duration(seconds) {
  const parts = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first < 0) return "now";
  const [size, unit] = parts[first];
  const [nextSize, nextUnit] = parts[first + 1] ?? [0, ""];
  const rest = nextSize ? Math.floor((seconds % size) / nextSize) : 0;
  return `${Math.floor(seconds / size)} ${unit}${rest && first < 2 ? ` ${rest} ${nextUnit}` : ""}`;
}

export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

// ---- elements -------------------------------------------------------------------------------------------------------

/** A list of facts: [term, value, class]. Terms stay, values change; a fact without a value is left out. */
export function showFacts(host, facts) {
  const given = facts.filter(([, value]) => value !== "" && value !== undefined);
  const terms = given.map(([term]) => term).join();
  if (host.dataset.terms !== terms) {
    host.dataset.terms = terms;
    host.replaceChildren(...given.map(([term, , className = ""]) => element("div", { className }, element("dt", {}, term), element("dd"))));
  }
  given.forEach(([, value], index) => setText(host.children[index].lastElementChild, String(value)));
}

export const WIRES = { "websocket": "WebSocket", "sse": "SSE", "stream": "HTTP stream", "long-poll": "Long poll", "short-poll": "Short poll", "poll": "Poll", "jsonp": "JSONP", "events": "Channel URL", "http": "HTTP request", "datachannel": "Data channel" };
const COLORS = { "poll": "long-poll", "events": "sse", "datachannel": "websocket" };
export const wireName = (wire) => WIRES[wire] ?? wire;
export const wireColor = (wire) => `var(--wire-${wire in WIRES ? (COLORS[wire] ?? wire) : "http"})`;
