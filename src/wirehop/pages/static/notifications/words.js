// How a notice reads, and what stands for its topic.

import { element } from "../ui.js";

export const TOPICS = { mention: "Mentions", review: "Reviews", comment: "Comments", like: "Likes", deploy: "Deploys" };
const ONE = { mention: "mention", review: "review", comment: "comment", like: "like", deploy: "deploy" };
const PATHS = {
  mention: "M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0Zm0 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-3.6 7.2",
  review: "M9 11.5l2.2 2.2L16 9M4 5h16v12H9l-5 4Z",
  comment: "M4 5h16v12H9l-5 4Z",
  like: "M12 20S4 15 4 9.3A4.2 4.2 0 0 1 12 7.5a4.2 4.2 0 0 1 8 1.8C20 15 12 20 12 20Z",
  deploy: "M12 15V4M7.5 8.5 12 4l4.5 4.5M5 15v4h14v-4",
  issue: "M12 8v5M12 16.2v.1M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  pull: "M7 8v8M7 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4Zm0 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4Zm10 0a2 2 0 1 0 0-4 2 2 0 0 0 0 4Zm0-4V9a3 3 0 0 0-3-3h-2",
  note: "M6 3h9l4 4v14H6ZM9 11h7M9 15h5",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const attributes = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.9", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [attribute, value] of Object.entries(attributes)) svg.setAttribute(attribute, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Whether it is about something that went wrong. */
export const isAlarm = ({ topic, actions = [] }) => topic === "deploy" && actions.length > 0;

/** "Ada", "Ada and Bo", "Ada and 4 others". */
export function people({ actors, people: count = 1 }) {
  if (count <= 1) return actors[0];
  return count === 2 && actors.length > 1 ? `${actors[0]} and ${actors[1]}` : `${actors[0]} and ${count - 1} others`;
}

function verb({ topic, text = "", count = 1 }) {
  if (topic === "like") return "liked";
  if (topic === "mention") return "mentioned you in";
  if (topic === "review") return "asks for your review of";
  if (topic === "comment") return count > 1 ? `left ${count} comments on` : "commented on";
  return text.endsWith("failed") ? "has broken" : "has deployed";
}

/** The sentence, its names and title set off. */
export const sentence = (notice) => [element("b", {}, people(notice)), ` ${verb(notice)} `, element("b", {}, notice.title)];

/** "3 likes, 1 review". */
export function summary(topics) {
  const parts = Object.entries(topics).map(([topic, count]) => `${count} ${count === 1 ? ONE[topic] : TOPICS[topic].toLowerCase()}`);
  return parts.join(", ");
}

const day = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

/** How long ago. */
export function ago(at, now = Date.now()) {
  const minutes = Math.floor((now - at) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 12 * 60) return `${Math.floor(minutes / 60)} h`;
  return day.format(at);
}
