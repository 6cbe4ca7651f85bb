// Parts that the pages share: making elements, remembering choices, panels, and the state of the connection.

/** The server begins where this file lies, at whatever prefix. */
export const SERVER = new URL(".", import.meta.url).href;

export const WIRE_LABELS = {
  "websocket": "WebSocket",
  "stream": "Stream",
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

/** Change a text only if it is another one: nothing is drawn anew for nothing. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Random letters and digits. Not crypto.randomUUID: a page on plain HTTP in the local network has none. */
export function randomId(bytes = 12) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Letters, digits, `-` and `_`: what is safe in a channel's name and readable in a link. */
export const roomName = (text) => text.trim().toLowerCase().replace(/^#/, "").replace(/[^\p{L}\p{N}_-]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 40);

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

/** A panel that the button opens, below it; on a phone at the lower edge (style.css). Escape and a click elsewhere close it. */
export function mountPanel(button, panel) {
  panel.popover = "auto";
  button.popoverTargetElement = panel;
  const place = () => {
    const { left, right, bottom } = button.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const wanted = left + right < width ? left : right - panel.offsetWidth; // along the edge that is nearer
    panel.style.setProperty("--left", `${Math.max(12, Math.min(wanted, width - panel.offsetWidth - 12))}px`);
    panel.style.setProperty("--top", `${bottom + 8}px`);
  };
  panel.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    button.setAttribute("aria-expanded", String(isOpen));
    (isOpen ? addEventListener : removeEventListener)("resize", place);
    if (isOpen) place();
  });
}

/** Words for the state of a client, as a chip that counts down to the next try. The returned function ends it. */
export function mountState(host, client) {
  const text = element("span");
  host.replaceChildren(element("i", { ariaHidden: "true" }), text);
  let reason = "";
  let nextTry = 0;
  let countdown;
  const describe = () => {
    if (client.state === "live") return "live";
    if (client.state === "closed") return `closed: ${reason || "by the server"}`;
    if (client.state !== "offline") return `${client.state.replace("-", " ")}…`;
    const seconds = Math.ceil((nextTry - Date.now()) / 1000);
    return seconds > 0 ? `offline · next try in ${seconds} s` : "offline · trying…";
  };
  const show = () => {
    clearInterval(countdown);
    host.dataset.state = client.state;
    host.title = client.state === "live" ? "" : reason;
    text.textContent = describe();
    if (client.state === "offline") countdown = setInterval(() => setText(text, describe()), 500);
  };
  const end = client.on("state", (change) => {
    reason = change.reason;
    nextTry = Date.now() + change.retryIn * 1000;
    show();
  });
  show();
  return () => {
    clearInterval(countdown);
    end();
  };
}
