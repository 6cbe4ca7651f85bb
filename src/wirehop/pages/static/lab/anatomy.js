// A message as it was on the wire: its bytes in hex, coloured by what they are for.

import { WIRE_LABELS, element } from "../ui.js";

const KINDS = {
  http: "HTTP head",
  frame: "frame, chunk or event",
  envelope: "envelope",
  payload: "payload",
  other: "other messages",
};
const SHOWN = 6144; // bytes
const NARROW = matchMedia("(max-width: 640px)");

export function mountAnatomy(host, links) {
  host.classList.add("card", "panel", "anatomy");
  host.hidden = true;
  host.tabIndex = -1;
  return {
    /** Show that message. */
    async show(wire, number) {
      host.hidden = false;
      try {
        draw(host, await links.client.rpc("lab.bytes", { wire, number }));
      } catch (error) {
        host.replaceChildren(element("p", { className: "note" }, error.message));
      }
      host.scrollIntoView({ block: "nearest" });
      host.focus({ preventScroll: true });
    },
    hide() {
      host.hidden = true;
    },
  };
}

function draw(host, { wire, number, data, parts, opening, request, bytes }) {
  const sums = {};
  for (const { kind, size } of parts) sums[kind] = (sums[kind] ?? 0) + size;
  const hex = element("code", { className: "hex", dataset: { testid: "anatomy-hex" } });
  const text = element("code", { className: "hex", ariaHidden: "true" });
  const across = NARROW.matches ? 8 : 16;
  let position = 0;
  for (const { kind, size, what, skipped } of parts) {
    const end = Math.min(position + size - skipped, SHOWN);
    if (end > position) {
      const title = `${what} · ${size} bytes${skipped ? `, ${skipped} in the middle not shown` : ""}`;
      hex.append(element("span", { className: "bytes", title, dataset: { kind } }, digits(data, position, end, across)));
      text.append(element("span", { className: "bytes", title, dataset: { kind } }, letters(data, position, end, across)));
    }
    position += size - skipped;
  }
  const legend = Object.entries(KINDS).filter(([kind]) => sums[kind]).map(([kind, title]) =>
    element("li", { dataset: { kind, testid: `anatomy-${kind}`, bytes: sums[kind] } }, element("i", { ariaHidden: "true" }), `${title} `, element("b", {}, `${sums[kind].toLocaleString("en")} bytes`)));
  const heads = [["The request that asked for it", request], ["The head of the answer", opening]].filter(([, text]) => text);
  host.replaceChildren(
    element("div", { className: "panel-head" },
      element("h2", { dataset: { testid: "anatomy-title" } }, `Message ${number} over ${WIRE_LABELS[wire]}: ${bytes.toLocaleString("en")} bytes`),
      element("ul", { className: "legend" }, ...legend)),
    element("pre", { className: "bytes-shown", tabIndex: 0, ariaLabel: "Bytes in hex, and as letters" }, hex, text),
    ...(bytes > data.length / 2 || bytes > SHOWN ? [element("p", { className: "note" }, "Of other messages only the ends are shown.")] : []),
    ...heads.map(([title, text]) => element("details", {}, element("summary", {}, title, element("span", { className: "note" }, ` ${text.length + 4} bytes`)), element("pre", { className: "head-text", tabIndex: 0 }, text))),
  );
}

/** Two digits a byte, so many bytes across. */
function digits(data, from, to, across) {
  let text = "";
  for (let index = from; index < to; index++) text += data.slice(2 * index, 2 * index + 2) + ((index + 1) % across ? " " : "\n");
  return text;
}

/** The same as letters; a dot for what is none. */
function letters(data, from, to, across) {
  let text = "";
  for (let index = from; index < to; index++) {
    const code = parseInt(data.slice(2 * index, 2 * index + 2), 16);
    text += (code >= 32 && code < 127 ? String.fromCharCode(code) : "·") + ((index + 1) % across ? "" : "\n");
  }
  return text;
}
