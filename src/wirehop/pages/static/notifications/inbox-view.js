// The list of notices, as a person works through it. It draws what it is given and knows no connection.

import { element, setText } from "../ui.js";
import { TOPICS, ago, icon, isAlarm, sentence, summary } from "./words.js";

const EMPTY = {
  inbox: ["All quiet", "Nothing has happened that you were not told already."],
  unread: ["All read", "There is nothing that you have not opened."],
  archived: ["Nothing archived", "What you are done with goes here."],
};
const SHOWN = { inbox: ["unseen", "seen", "read"], unread: ["unseen", "seen"], archived: ["archived"] };

export class InboxView {
  view = "inbox";
  #rows = new Map(); // id → {node, key}

  /** `parts`: list, views, digest, foot. `does`: open, set, answer, dismiss. */
  constructor(parts, does) {
    Object.assign(this, { parts, does });
    parts.views.addEventListener("click", ({ target }) => {
      const { view } = target.closest("[data-view]")?.dataset ?? {};
      if (view) this.choose(view);
    });
    parts.list.addEventListener("keydown", (event) => this.#pressed(event));
    setInterval(() => this.#times(), 20_000);
  }

  choose(view) {
    this.view = view;
    for (const button of this.parts.views.children) button.setAttribute("aria-pressed", String(button.dataset.view === view));
    if (this.inbox) this.draw(this.inbox);
  }

  draw(inbox) {
    this.inbox = inbox;
    const { sums } = inbox;
    for (const button of this.parts.views.children) setText(button.lastElementChild, String({ inbox: sums.inbox, unread: sums.unread, archived: sums.archived }[button.dataset.view]));
    const shown = inbox.list().filter(({ state }) => SHOWN[this.view].includes(state));
    this.#drawRows(shown);
    this.#drawDigest(inbox.digest);
    const { received, off, forgotten } = inbox.counts;
    const parts = [`${received} told so far`, ...(off ? [`${off} not wanted`] : []), ...(forgotten ? [`${forgotten} older ones forgotten`] : [])];
    setText(this.parts.foot, parts.join(" · "));
  }

  // ---- rows

  /** Rows that stay are not drawn anew: who stands on a button of one goes on standing there. */
  #drawRows(notices) {
    const { list } = this.parts;
    const before = this.#rows;
    this.#rows = new Map();
    const nodes = notices.map((notice) => {
      const key = JSON.stringify(notice);
      const known = before.get(notice.id);
      const row = known?.key === key ? known : { key, node: this.#row(notice) };
      if (known && known !== row) keepFocus(known.node, row.node);
      this.#rows.set(notice.id, row);
      return row;
    });
    if (!nodes.length) {
      const [title, text] = EMPTY[this.view];
      return list.replaceChildren(element("li", { className: "none" }, element("strong", {}, title), text));
    }
    const wanted = nodes.map(({ node }) => node);
    for (const child of [...list.children]) if (!wanted.includes(child)) child.remove();
    wanted.forEach((node, index) => list.children[index] !== node && list.insertBefore(node, list.children[index] ?? null));
  }

  #row(notice) {
    const { id, topic, item, at, text, state, actions = [], done = "" } = notice;
    const isUnread = state === "unseen" || state === "seen";
    const link = element("a", { href: `#${item}`, className: "notice-link", dataset: { testid: "notice-link" } }, ...sentence(notice));
    link.addEventListener("click", () => this.does.open(id));
    const tool = (name, label, state) => {
      const button = element("button", { type: "button", className: "row-tool", title: label, ariaLabel: label, dataset: { tool: name, testid: `notice-${name}` } });
      button.append(glyph(name));
      button.addEventListener("click", () => this.does.set({ [id]: state }, label));
      return button;
    };
    const time = element("time", { dateTime: new Date(at).toISOString(), title: new Date(at).toLocaleString() }, ago(at));
    const row = element(
      "li",
      { className: "notice-row", dataset: { id, state, topic, testid: "notice", count: notice.count ?? 1 } },
      element("span", { className: "topic", title: TOPICS[topic] }, icon(topic)),
      element(
        "div",
        { className: "notice-text" },
        link,
        ...(text ? [element("p", { className: "excerpt" }, text)] : []),
        ...(actions.length ? [this.#actions(notice, done)] : []),
        element("span", { className: "when" }, time, ...(isUnread ? [element("span", { className: "visually-hidden" }, " unread")] : [])),
      ),
      element(
        "span",
        { className: "row-tools" },
        isUnread ? tool("read", "Mark read", "read") : tool("unread", "Mark unread", "seen"),
        state === "archived" ? tool("back", "Back to the inbox", "read") : tool("archive", "Archive", "archived"),
      ),
    );
    row.classList.toggle("unread", isUnread);
    row.classList.toggle("alarm", isAlarm(notice));
    return row;
  }

  #actions({ id, actions }, done) {
    if (done) return element("span", { className: "done", dataset: { testid: "done" } }, `✓ ${done}`);
    return element("span", { className: "actions" }, ...actions.map((action, index) => actionButton(action, index === 0, () => this.does.answer(id, action))));
  }

  #times() {
    for (const time of this.parts.list.querySelectorAll("time")) setText(time, ago(Date.parse(time.dateTime)));
  }

  /** Up and down from notice to notice; `e` archives, `u` marks read or unread. */
  #pressed(event) {
    const row = event.target.closest(".notice-row");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const beside = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[event.key];
    const tool = { e: "archive", u: row.classList.contains("unread") ? "read" : "unread" }[event.key];
    if (!beside && !tool) return;
    event.preventDefault();
    if (tool) row.querySelector(`[data-tool="${tool}"]`)?.click();
    if (tool === "archive") (row.nextElementSibling ?? row.previousElementSibling)?.querySelector("a")?.focus();
    beside?.querySelector("a")?.focus();
  }

  // ---- the digest

  #drawDigest(digest) {
    const host = this.parts.digest;
    host.hidden = !digest;
    const key = JSON.stringify(digest);
    if (!digest || host.dataset.key === key) return;
    host.dataset.key = key;
    const all = Object.values(digest.topics).reduce((sum, count) => sum + count, 0);
    const button = (text, testid, run) => {
      const made = element("button", { type: "button", className: "button tool", dataset: { testid } }, text);
      made.addEventListener("click", run);
      return made;
    };
    host.replaceChildren(
      element("strong", {}, `While you were away: ${all} new`),
      element("p", {}, `${summary(digest.topics)}, since ${ago(digest.since) === "now" ? "a moment ago" : ago(digest.since)}.`),
      element(
        "span",
        { className: "actions" },
        button("Mark these read", "digest-read", () => this.does.set(Object.fromEntries(digest.ids.map((id) => [id, "read"])), "Mark these read").then(() => this.does.dismiss())),
        button("Dismiss", "digest-dismiss", () => this.does.dismiss()),
      ),
    );
  }
}

export function actionButton(action, isFirst, run) {
  const label = action[0].toUpperCase() + action.slice(1);
  const button = element("button", { type: "button", className: `button tool${isFirst ? " primary" : ""}`, dataset: { testid: `action-${action.replace(" ", "-")}` } }, label);
  button.addEventListener("click", run);
  return button;
}

/** The same place in the row that takes its place. */
function keepFocus(before, after) {
  const at = document.activeElement;
  if (!before.contains(at)) return;
  const tools = ["read", "unread"].includes(at.dataset.tool) ? "[data-tool=read], [data-tool=unread]" : at.dataset.tool ? `[data-tool="${at.dataset.tool}"]` : "a";
  before.replaceWith(after);
  after.querySelector(tools)?.focus();
}

const GLYPHS = { read: "M5 12.5 10 17 19 7", unread: "M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z", archive: "M4 5h16v4H4ZM6 9v10h12V9M10 13h4", back: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3" };

function glyph(name) {
  const svg = icon("note");
  svg.firstChild.setAttribute("d", GLYPHS[name]);
  return svg;
}
