// The start page's box: a channel read with EventSource and written with fetch, without any client library.

import { element } from "./ui.js";

const KEPT = 100; // lines in the log
const page = (id) => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

let source = null;

const channelUrl = () => `channels/${encodeURIComponent(page("channel").value.trim())}`;

function showState(name, text) {
  page("stream-state").dataset.state = name;
  page("stream-state").lastElementChild.textContent = text;
}

function log(text, className = "") {
  const list = page("log");
  list.querySelector(".empty")?.remove();
  list.append(element("li", {}, element("time", {}, clock.format(Date.now())), element("span", { className }, text)));
  while (list.children.length > KEPT) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

function subscribe() {
  source?.close();
  page("log").replaceChildren(element("li", { className: "empty" }, "Waiting for the first event. Publish something, here or with curl."));
  showState("connecting", "connecting…");
  source = new EventSource(channelUrl());
  source.onopen = () => showState("live", "live");
  source.onmessage = (event) => log(event.data);
  source.addEventListener("reset", () => log("some events were missed and are no longer kept", "note"));
  source.onerror = () => {
    // The browser tries again by itself, from the last id, unless the server answered with an error.
    if (source.readyState === EventSource.CLOSED) showState("closed", "refused by the server");
    else showState("connecting", "reconnecting…");
  };
}

async function publish() {
  const headers = { "Content-Type": "text/plain" };
  try {
    const response = await fetch(channelUrl(), { method: "POST", headers, body: page("text").value });
    if (!response.ok) log(`not published: HTTP ${response.status}`, "note");
  } catch {
    log("not published: the server cannot be reached", "note");
  }
}

/** A word for a POSIX shell. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function showCurl() {
  page("curl").textContent = `curl -H 'Content-Type: text/plain' -d ${quoted(page("text").value)} ${quoted(new URL(channelUrl(), location.href).href)}`;
}

page("subscribe").addEventListener("submit", (event) => {
  event.preventDefault();
  subscribe();
});
page("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  publish();
});
for (const id of ["channel", "text"]) page(id).addEventListener("input", showCurl);
page("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(page("curl").textContent);
    page("copy").textContent = "Copied";
    setTimeout(() => (page("copy").textContent = "Copy"), 1500);
  } catch {
    getSelection().selectAllChildren(page("curl")); // no clipboard on plain HTTP: at least it is selected
  }
});
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => event.persisted && subscribe());

showCurl();
subscribe();
