// Who is in the session, and what the connection to them is like.

import { element, setText } from "../ui.js";
import { hueOf } from "./overlay.js";

const NAMES = { duration: "Duration", roundTrip: "Round trip", path: "Path", incoming: "Received", outgoing: "Sent", frames: "Frames", loss: "Lost packets", lane: "Pointers, pens, input" };
const STATES = { connecting: "connecting…", connected: "connected", reconnecting: "reconnecting…", failed: "no connection of its own", closed: "gone" };

const rate = (bits) => (bits === undefined ? "–" : bits < 1e6 ? `${Math.round(bits / 1000)} kbit/s` : `${(bits / 1e6).toFixed(1)} Mbit/s`);
const two = (number) => String(number).padStart(2, "0");

export function duration(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${hours ? `${hours}:` : ""}${hours ? two(minutes) : minutes}:${two(seconds % 60)}`;
}

export function mountFigures(host, { room, lane, began }) {
  const values = Object.fromEntries(Object.keys(NAMES).map((name) => [name, element("dd", { dataset: { testid: `figure-${name}` } }, "–")]));
  host.replaceChildren(...Object.entries(values).flatMap(([name, value]) => [element("dt", {}, NAMES[name]), value]));
  const show = () => {
    setText(values.duration, duration(Date.now() - began()));
    const participant = [...room.participants.values()].find(({ stats }) => stats) ?? { stats: {} };
    const { roundTrip, bitrateIn, bitrateOut, fpsIn, fpsOut, loss } = participant.stats;
    setText(values.roundTrip, roundTrip === undefined ? "–" : `${Math.max(1, Math.round(roundTrip * 1000))} ms`);
    setText(values.path, participant.path?.words ?? "–");
    setText(values.incoming, rate(bitrateIn));
    setText(values.outgoing, rate(bitrateOut));
    setText(values.frames, fpsIn || fpsOut ? `${Math.round(fpsIn || fpsOut)} per second` : "–");
    setText(values.loss, loss === undefined ? "–" : `${(loss * 100).toFixed(1)} %`);
    const { direct, server } = lane.sent;
    setText(values.lane, `${direct} direct, ${server} by the server`);
  };
  const timer = setInterval(show, 500);
  show();
  return () => clearInterval(timer);
}

/** `buttons(participant)` gives what can be done with somebody. The returned function shows the list anew. */
export function mountPeople(list, { room, me, buttons }) {
  const line = (name, note, id, more) => {
    const node = element("li", { dataset: { id } }, element("i", { ariaHidden: "true" }), element("span", {}, name, element("small", {}, note)), ...more);
    node.style.setProperty("--hue", hueOf(name));
    return node;
  };
  const show = () => {
    const others = [...room.participants.values()].map((each) => {
      const role = each.info?.role === "share" ? "shares" : "helps";
      return line(each.name, [role, each.path?.words ?? STATES[each.state]].join(" · "), each.id, buttons(each));
    });
    list.replaceChildren(line(me.name, `you · ${me.role === "share" ? "you share" : "you help"}`, room.me.id, []), ...others);
  };
  for (const event of ["joined", "left", "state", "path", "room"]) room.on(event, show);
  show();
  return show;
}
