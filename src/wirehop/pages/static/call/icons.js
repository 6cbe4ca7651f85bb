// The icons of the call's buttons and tiles.

const SVG = "http://www.w3.org/2000/svg";
const SLASH = "M4 4l16 16";
const PATHS = {
  "microphone": "M12 15a3.5 3.5 0 0 0 3.5-3.5V6.5a3.5 3.5 0 0 0-7 0v5A3.5 3.5 0 0 0 12 15ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  "microphone-off": `M15.5 9V6.5a3.5 3.5 0 0 0-6.7-1.4M8.5 8.5v3a3.5 3.5 0 0 0 5.6 2.8M5.5 11.5a6.5 6.5 0 0 0 10.6 5M18.5 11.5c0 .9-.2 1.8-.5 2.6M12 18v3${SLASH}`,
  "camera": "M4 7.5h9a2 2 0 0 1 2 2v5a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2v-5a2 2 0 0 1 2-2ZM15 11l6-3.2v8.4L15 13",
  "camera-off": `M8 7.5h5a2 2 0 0 1 2 2v2l6-3.2v8.4l-4-2.1M15 16a2 2 0 0 1-1.5.5H4a2 2 0 0 1-2-2v-5a2 2 0 0 1 1.6-1.9${SLASH}`,
  "screen": "M3.5 5h17v11h-17zM9 20h6M12 16v4M12 13V8M9.5 10.2 12 7.8l2.5 2.4",
  "screen-off": "M3.5 5h17v11h-17zM9 20h6M12 16v4M9.8 8.3l4.4 4.4M14.2 8.3l-4.4 4.4",
  "devices": "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8v4.4M9 14.8v4.4",
  "chat": "M5 5h14a1.5 1.5 0 0 1 1.5 1.5v8A1.5 1.5 0 0 1 19 16h-7l-4.5 4v-4H5a1.5 1.5 0 0 1-1.5-1.5v-8A1.5 1.5 0 0 1 5 5Z",
  "leave": "M3.5 14.5c-.6-2 .2-3.6 2-4.5 4-2 9-2 13 0 1.8.9 2.6 2.5 2 4.5l-4.3-.9-.5-2.6a12.5 12.5 0 0 0-7.4 0l-.5 2.6Z",
  "pin": "M9 4h6l-.8 6 3.3 3.5H6.5L9.8 10ZM12 13.5V20",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  const look = { viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "1.8", "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" };
  for (const [key, value] of Object.entries(look)) svg.setAttribute(key, value);
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
