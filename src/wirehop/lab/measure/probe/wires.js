// One request of each technique, as a page makes it. Each resolves with what came: {data, close()}.

import { at, first, socketAt, within } from "./site.js";

const SECONDS = 8000;

export async function get(values = {}, origin = "", options = {}) {
  const answer = await within(SECONDS, fetch(at(values.path ?? "/answer", values, origin), options));
  return { data: await answer.arrayBuffer(), close() {} };
}

export async function events(values = {}, origin = "", options = {}) {
  const source = new EventSource(at("/events", values, origin), options);
  try {
    const event = await within(SECONDS, first(source, "message", ""));
    return { data: event.data, source, close: () => source.close() };
  } catch (error) {
    source.close();
    throw error;
  }
}

export async function stream(values = {}, origin = "", options = {}) {
  const control = new AbortController();
  const answer = await within(SECONDS, fetch(at("/stream", values, origin), { ...options, signal: control.signal }));
  const reader = answer.body.getReader();
  const pieces = [];
  let size = 0;
  while (size < (values.need ?? 1)) {
    const piece = await within(SECONDS, reader.read());
    if (piece.done) break;
    pieces.push(piece.value);
    size += piece.value.length;
  }
  return { data: await new Blob(pieces).arrayBuffer(), size, close: () => control.abort() };
}

export async function socket(values = {}, origin = location.origin) {
  const open = new WebSocket(socketAt("/socket", values, origin));
  open.binaryType = "arraybuffer";
  await within(SECONDS, first(open, "open"));
  return { open, close: () => open.close() };
}

export async function echoed(data, values = {}) {
  const { open, close } = await socket(values);
  const answer = within(SECONDS, first(open, "message"));
  open.send(data);
  const event = await answer;
  close();
  return event.data;
}

let number = 0;

export async function script(values = {}, origin = "") {
  const callback = `called${++number}`;
  const element = document.createElement("script");
  const called = new Promise((resolve) => (window[callback] = resolve));
  element.crossOrigin = values.anonymous ? "anonymous" : null;
  element.src = at(values.path ?? "/script", { ...values, callback }, origin);
  const failed = new Promise((_, reject) => (element.onerror = () => reject(new Error("the script failed"))));
  document.head.append(element);
  try {
    return { data: await within(SECONDS, Promise.race([called, failed])), close() {} };
  } finally {
    element.remove();
    delete window[callback];
  }
}
