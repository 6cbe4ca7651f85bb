// Parts that the pages share: making elements, remembering choices, the wire picker and the state of the connection.

import { TRANSPORTS } from "./wires.js";

export const WIRE_LABELS = {
  "websocket": "WebSocket",
  "sse": "SSE",
  "long-poll": "Long poll",
  "short-poll": "Short poll",
  "jsonp": "JSONP",
};

/** An element with properties and children. Text is always a text node: nothing here parses HTML. */
export function element(tag, { dataset = {}, style = {}, ...properties } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  Object.assign(node.dataset, dataset);
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
  node.append(...children);
  return node;
}

export const byTestId = (id) => document.querySelector(`[data-testid="${id}"]`);

/** localStorage that is allowed to be missing, full, or somebody else's. Values are JSON. */
export const memory = {
  read(key, fallback) {
    try {
      return JSON.parse(localStorage.getItem(`wirehop.${key}`)) ?? fallback;
    } catch {
      return fallback;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem(`wirehop.${key}`, JSON.stringify(value));
    } catch {
      // the choice lasts as long as the page
    }
  },
};

/** The wire to begin with: `?wire=sse` in the address, else the last choice, else WebSocket. */
export function firstWire() {
  const wanted = new URLSearchParams(location.search).get("wire") ?? memory.read("wire", "websocket");
  return TRANSPORTS.includes(wanted) ? wanted : "websocket";
}

/** A segmented control of radio buttons: arrow keys and screen readers work as they do everywhere. */
export function mountWirePicker(host, client) {
  const option = (wire) => {
    const radio = element("input", { type: "radio", name: "wire", value: wire, checked: wire === client.transport });
    const label = element("label", { dataset: { testid: `wire-${wire}` } }, radio, element("span", {}, WIRE_LABELS[wire]));
    label.style.setProperty("--wire", `var(--wire-${wire})`);
    return label;
  };
  host.replaceChildren(...TRANSPORTS.map(option));
  host.addEventListener("change", (event) => {
    memory.write("wire", event.target.value);
    client.reconnect({ transport: event.target.value });
  });
}

/** Words for the state of a client, as a chip that counts down to the next try. */
export function mountState(host, client) {
  const text = element("span");
  host.replaceChildren(element("i", { ariaHidden: "true" }), text);
  let countdown;
  const describe = ({ name, nextTry, reason }) => {
    if (name === "live") return "live";
    if (name === "offline") return `offline · next try in ${Math.max(1, Math.ceil((nextTry - Date.now()) / 1000))} s`;
    if (name === "closed") return `closed: ${reason || "by the server"}`;
    return `${name}…`;
  };
  const show = () => {
    clearInterval(countdown);
    host.dataset.state = client.state.name;
    host.title = client.state.reason ?? "";
    text.textContent = describe(client.state);
    if (client.state.name === "offline") countdown = setInterval(() => (text.textContent = describe(client.state)), 500);
  };
  client.addEventListener("state", show);
  show();
}
