// The admin page: signing in, the node's figures, and what is shown below them.

import { ask, bytes, count, duration, plural, rate, showFacts, tell, wireColor, wireName } from "./api.js";
import { List } from "./list.js";
import { SessionDrawer } from "./session.js";
import { ChannelDrawer } from "./channel.js";
import { element, setText } from "../ui.js";

const EVERY = 2_000; // milliseconds between two looks at the server
const LONGEST = 15_000; // and where it does not answer
const TABS = ["sessions", "channels", "node"];

const page = (id) => document.getElementById(id);
let before = null; // the figures of the last look: rates are made of two
let failures = 0;
let timer;

// ---- lists ----------------------------------------------------------------------------------------------------------

const text = (name) => (cell, row) => setText(cell, String(row[name]));
const number = (name) => (cell, row) => {
  setText(cell, count(row[name]));
  cell.classList.toggle("quiet", row[name] === 0);
};

function badge(cell, wire) {
  let made = cell.firstElementChild;
  if (!made) cell.append((made = element("span", { className: "badge" })));
  setText(made, wireName(wire));
  made.style.setProperty("--wire", wireColor(wire));
}

const sessions = new List(page("panel-sessions"), {
  what: "sessions",
  keyOf: (row) => row.client,
  open: (row) => show(`session/${row.client}`),
  order: { sort: "age", direction: "asc" },
  filters: () => ({ wire: page("wire").value }),
  emptyText: (search) => (search || page("wire").value ? "No session is like this." : "Nobody is connected to this node."),
  changed: failed,
  columns: [
    { name: "user", label: "User", sort: "user", begins: "asc", isText: true, fill(cell, row) {
      const opener = cell.firstElementChild;
      setText(opener, row.user || (row.is_admin ? "admin page" : row.state === "connected" ? "anonymous" : "not connected yet"));
      opener.classList.toggle("nobody", !row.user);
    } },
    { name: "client", label: "Session", isText: true, fill: text("client") },
    { name: "wire", label: "Wire", sort: "wire", begins: "asc", isText: true, fill: (cell, row) => badge(cell, row.wire) },
    { name: "address", label: "Address", sort: "address", begins: "asc", isText: true, fill: text("address") },
    { name: "age", label: "Age", sort: "age", begins: "asc", fill: (cell, row) => setText(cell, duration(row.age)) },
    { name: "channels", label: "Channels", sort: "channels", begins: "desc", fill: number("channels") },
    { name: "waiting", label: "Waiting", sort: "waiting", begins: "desc", fill(cell, row) {
      setText(cell, row.waiting ? bytes(row.waiting) : "0");
      cell.classList.toggle("quiet", !row.waiting);
      cell.classList.toggle("bad", row.is_congested);
    } },
    { name: "drops", label: "Drops", sort: "drops", begins: "desc", fill(cell, row) {
      number("drops")(cell, row);
      cell.classList.toggle("bad", row.drops > 0);
    } },
  ],
});
page("wire").addEventListener("change", () => sessions.restart());

const channels = new List(page("panel-channels"), {
  what: "channels",
  keyOf: (row) => row.channel,
  open: (row) => show(`channel/${encodeURIComponent(row.channel)}`),
  order: { sort: "subscribers", direction: "desc" },
  emptyText: (search) => (search ? "No channel with subscribers is called like this. It can be opened all the same." : "No channel has subscribers on this node."),
  changed: failed,
  columns: [
    { name: "channel", label: "Channel", sort: "channel", begins: "asc", isText: true, fill: (cell, row) => setText(cell.firstElementChild, row.channel) },
    { name: "delivery", label: "Delivery", isText: true, fill: text("delivery") },
    { name: "subscribers", label: "Subscribers", sort: "subscribers", begins: "desc", fill: number("subscribers") },
    { name: "rate", label: "Publications", sort: "rate", begins: "desc", fill(cell, row) {
      setText(cell, row.rate === null ? "–" : `${rate(row.rate)} /s`);
      cell.classList.toggle("quiet", !row.rate);
    } },
    { name: "kept", label: "In history", fill(cell, row) {
      setText(cell, row.delivery === "signal" ? "–" : `${count(row.kept)}${row.kept_more ? "+" : ""}`);
      cell.classList.toggle("quiet", !row.kept);
    } },
    { name: "top", label: "Offset", fill: (cell, row) => setText(cell, row.delivery === "signal" ? "–" : count(row.top)) },
  ],
});
const channelSearch = channels.search;
const nameOpener = () => setText(page("open-name"), channelSearch.value.trim() ? `“${channelSearch.value.trim()}”` : "a channel");
channelSearch.addEventListener("input", nameOpener);
page("open-channel").addEventListener("click", () => {
  if (channelSearch.value.trim()) show(`channel/${encodeURIComponent(channelSearch.value.trim())}`);
  else {
    channelSearch.focus();
    channelSearch.placeholder = "Type the name of the channel to open";
  }
});
channelSearch.addEventListener("keydown", (event) => event.key === "Enter" && page("open-channel").click());

// ---- figures --------------------------------------------------------------------------------------------------------

function value(id, shown, unit = "") {
  const node = page(id);
  const wanted = `${shown}${unit}`;
  if (node.textContent !== wanted) node.replaceChildren(shown, ...(unit ? [element("small", {}, unit)] : []));
}

const perSecond = (now, then, seconds, pick) => (then && seconds > 0 ? Math.max(0, pick(now) - pick(then)) / seconds : null);
const rateText = (rated) => (rated === null ? "–" : rate(rated));

function showFigures(now) {
  const then = before?.node === now.node && before.uptime <= now.uptime ? before : null;
  const seconds = then ? (now.now - then.now) / 1000 : 0;
  if (then && seconds < 0.5) return; // too short for rates
  const of = (pick) => perSecond(now, then, seconds, pick);
  value("sessions-now", count(now.sessions));
  setText(page("users-now"), plural(now.users, "user"));
  value("channels-now", count(now.channels));
  setText(page("subscriptions-now"), plural(now.subscriptions, "subscription"));
  value("sent-now", rateText(of((each) => each.sent)), " /s");
  setText(page("received-now"), `received ${rateText(of((each) => each.received))} /s`);
  value("publications-now", rateText(of((each) => each.publications)), " /s");
  setText(page("publications-all"), `${count(now.publications)} in all`);
  value("drops-now", count(now.drops));
  const dropping = of((each) => each.drops);
  setText(page("drops-rate"), dropping ? `${rate(dropping)} /s now` : "none now");
  value("cpu-now", now.cpu.toFixed(0), " %");
  setText(page("memory-now"), now.rss ? bytes(now.rss) : "of one core");
  for (const [name, shown] of [["sessions", now.sessions], ["channels", now.channels]]) {
    const tab = page(`tab-${name}`);
    if (!tab.lastElementChild) tab.append(element("span", { className: "number" }));
    setText(tab.lastElementChild, count(shown));
  }
  showWireChoices(now.wires.map((each) => each.wire));
  showNode(now, then, seconds);
  before = now;
}

function showWireChoices(wires) {
  const known = [...page("wire").options].map((option) => option.value);
  for (const wire of wires) if (!known.includes(wire)) page("wire").append(element("option", { value: wire }, wireName(wire)));
}

function showNode(now, then, seconds) {
  showFacts(page("facts"), [
    ["Version", now.version],
    ["Up for", duration(now.uptime)],
    ["State", now.is_draining ? "draining" : "ready"],
    ["CPU", `${now.cpu.toFixed(0)} % of a core`],
    ["Memory", now.rss ? bytes(now.rss) : ""],
    ["Node", now.node, "wide"],
  ]);
  const body = page("wires-table").tBodies[0];
  while (body.rows.length < now.wires.length) body.append(element("tr", {}, ...Array.from({ length: 7 }, () => element("td"))));
  while (body.rows.length > now.wires.length) body.lastElementChild.remove();
  now.wires.forEach((row, index) => {
    const earlier = then?.wires.find((each) => each.wire === row.wire) ?? { received: 0, sent: 0 };
    const speed = (name) => rateText(then ? perSecond(row, earlier, seconds, (each) => each[name]) : null);
    const [wire, ...cells] = body.rows[index].cells;
    badge(wire, row.wire);
    const shown = [count(row.sessions), speed("received"), speed("sent"), count(row.received), count(row.sent), count(row.congested)];
    cells.forEach((cell, column) => setText(cell, shown[column]));
  });
  for (const name of ["closed", "dropped", "errors"]) {
    const rows = now[name].length ? now[name] : [{ name: "none", count: "" }];
    const wanted = JSON.stringify(rows);
    if (page(name).dataset.shown === wanted) continue;
    page(name).dataset.shown = wanted;
    page(name).replaceChildren(...rows.map((row) => element("li", {}, element("span", {}, row.name.replaceAll("_", " ")), element("b", {}, row.count === "" ? "" : count(row.count)))));
  }
}

// ---- looking again and again ----------------------------------------------------------------------------------------

function showState(name, words) {
  page("state").dataset.state = name;
  setText(page("state").lastElementChild, words);
}

function failed(error) {
  if (error.status === 401) return showLogin();
  failures += 1;
  showState("offline", "no answer");
  page("notice").textContent = error.status ? `The server says: ${error.message}` : `${error.message} Trying again.`;
  page("notice").hidden = false;
}

async function look() {
  clearTimeout(timer);
  if (document.hidden || page("app").hidden) return; // `visibilitychange` begins again
  try {
    const list = { sessions, channels }[tab];
    const [figures] = await Promise.all([ask("overview"), list?.refresh()]);
    showFigures(figures);
    failures = 0;
    page("notice").hidden = true;
    showState(figures.is_draining ? "connecting" : "live", figures.is_draining ? "draining" : "live");
  } catch (error) {
    failed(error);
  }
  if (page("app").hidden) return;
  clearTimeout(timer);
  timer = setTimeout(look, Math.min(LONGEST, EVERY * 2 ** Math.min(failures, 4)));
}
document.addEventListener("visibilitychange", look);

// ---- where we are: #sessions, #channels, #node, #session/ID, #channel/NAME ------------------------------------------------

let tab = TABS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "sessions";
const drawers = {
  session: new SessionDrawer(page("session"), { openChannel: (name) => show(`channel/${encodeURIComponent(name)}`), closed: () => leave("session"), changed: () => look() }),
  channel: new ChannelDrawer(page("channel"), { closed: () => leave("channel") }),
};

const show = (place) => (location.hash = place);

/** A drawer was closed; where it only made room for the other one, that one stays. */
function leave(kind) {
  if (location.hash.startsWith(`#${kind}/`)) show(tab);
}

function follow() {
  const [kind, ...rest] = location.hash.slice(1).split("/");
  let name = rest.join("/");
  try {
    name = decodeURIComponent(name);
  } catch {
    // a `%` of the name itself
  }
  for (const [each, drawer] of Object.entries(drawers)) if (each !== kind) drawer.hide();
  if (kind in drawers && name) {
    tab = kind === "channel" && !before ? "channels" : tab;
    drawers[kind].show(name);
  } else if (TABS.includes(kind)) tab = kind;
  for (const each of TABS) {
    const isChosen = each === tab;
    page(`panel-${each}`).hidden = !isChosen;
    page(`tab-${each}`).setAttribute("aria-selected", String(isChosen));
    page(`tab-${each}`).tabIndex = isChosen ? 0 : -1;
  }
  look();
}
addEventListener("hashchange", () => page("app").hidden || follow());

TABS.forEach((name, index) => {
  const button = page(`tab-${name}`);
  button.addEventListener("click", () => show(name));
  button.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = TABS[(index + step + TABS.length) % TABS.length];
    show(next);
    page(`tab-${next}`).focus();
  });
});
addEventListener("keydown", (event) => {
  const isTyping = /^(input|textarea|select)$/i.test(event.target.tagName);
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const field = { sessions, channels }[tab]?.search;
  if (!field) return;
  event.preventDefault();
  field.focus();
  field.select();
});

// ---- signing in and out ---------------------------------------------------------------------------------------------

function showLogin() {
  clearTimeout(timer);
  for (const drawer of Object.values(drawers)) drawer.hide();
  page("app").hidden = page("state").hidden = page("logout").hidden = page("demos").hidden = true;
  page("login").hidden = false;
  before = null;
  page("password").focus();
}

function enter(me) {
  page("login").hidden = true;
  page("app").hidden = page("state").hidden = false;
  page("logout").hidden = me.is_open;
  page("demos").hidden = !me.is_open;
  page("login").reset();
  setText(page("login-problem"), "");
  drawers.session.codes = me.codes;
  drawers.channel.access = { token: me.token, wires: me.wires };
  follow();
}

async function begin() {
  try {
    const me = await ask("me");
    if (me.is_stranger) return showLogin();
    enter(me);
  } catch (error) {
    page("app").hidden = page("state").hidden = false;
    failed(error);
    timer = setTimeout(begin, LONGEST / 5);
  }
}

page("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = page("login").querySelector("button");
  button.disabled = true;
  setText(page("login-problem"), "");
  try {
    enter(await tell("login", { password: page("password").value }));
  } catch (error) {
    setText(page("login-problem"), error.status === 401 ? "This is not the password." : error.message);
    page("password").select();
  } finally {
    button.disabled = false;
  }
});
page("logout").addEventListener("click", async () => {
  await tell("logout").catch(() => {});
  showLogin();
});

begin();
