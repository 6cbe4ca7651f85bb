// One message: what was asked, or an answer with its parts, its figures and what can be done with it. It draws what it is
// given and knows no connection. Text of others goes only into text nodes.

import { element, setText } from "../ui.js";
import { MarkdownView } from "./markdown.js";
import { isOpen } from "./thread.js";

const NAMES = {
  "unauthorized": "No access",
  "too-many": "Too much to do",
  "too-slow": "Too slow",
  "too-long": "Too long",
  "unavailable": "In trouble",
  "unreachable": "Unreachable",
  "broken": "Broken off",
  "refused": "Refused",
  "internal": "Failed",
};
const STATES = { queued: "in the queue", streaming: "answering", done: "", stopped: "stopped", failed: "failed" };

const button = (text, testid, act) => {
  const node = element("button", { type: "button", className: "act", dataset: { testid } }, text);
  node.addEventListener("click", act);
  return node;
};

/** What is said now of a message that is drawn again and again: `update(message, row)`. `acts` are what buttons do. */
export function viewOf(message, acts) {
  return message.role === "user" ? new QuestionView(message, acts) : new AnswerView(message, acts);
}

class View {
  constructor(message, acts, ...children) {
    Object.assign(this, { message, acts });
    this.branches = branchSwitch(acts);
    this.node = element("article", { className: `turn ${message.role}`, dataset: { testid: "turn", role: message.role, id: message.id } }, ...children);
  }

  update({ chosen, beside, branches, branch }) {
    const { node, message } = this;
    node.dataset.state = message.state;
    node.classList.toggle("chosen", beside.length > 1 && chosen === message);
    this.branches.show(branches, branch, chosen === message);
  }
}

class QuestionView extends View {
  constructor(message, acts) {
    super(message, acts);
    this.text = element("div", { className: "question-text" }, message.parts[0].text);
    this.status = element("span", { className: "status" });
    const edit = button("Edit", "edit", () => this.#edit());
    const foot = element("div", { className: "turn-foot" }, element("span", { className: "author" }, message.author), this.status, this.branches.node, edit);
    this.node.append(this.text, foot);
  }

  update(row) {
    super.update(row);
    const { state, reason } = this.message;
    if (state === this.state) return;
    this.state = state;
    const again = state === "unsent" ? [`not sent: ${reason} · `, button("Retry", "resend", () => this.acts.resend(this.message))] : [];
    this.status.replaceChildren(...(state === "sending" ? ["sending…"] : again));
  }

  #edit() {
    const field = element("textarea", { className: "field", value: this.text.textContent, maxLength: 8000, rows: 3, ariaLabel: "Another question", dataset: { testid: "edit-text" } });
    const form = element("form", { className: "edit" }, field, element("button", { className: "button primary", type: "submit", dataset: { testid: "edit-send" } }, "Ask this"), button("Cancel", "edit-cancel", () => this.#close(form)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = field.value.trim();
      this.#close(form);
      if (text) this.acts.ask(text, this.message.parent);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      if (event.key === "Escape") this.#close(form);
    });
    this.text.hidden = true;
    this.text.after(form);
    field.focus();
  }

  #close(form) {
    form.remove();
    this.text.hidden = false;
  }
}

class AnswerView extends View {
  #parts = []; // views, one for each part

  constructor(message, acts) {
    super(message, acts);
    this.state = element("span", { className: "turn-state", dataset: { testid: "answer-state" } });
    this.stop = button("Stop", "stop", () => acts.stop(message));
    this.body = element("div", { className: "answer", dataset: { testid: "answer" } });
    this.figures = element("span", { className: "figures", dataset: { testid: "figures" } });
    this.retry = button("Retry", "again", () => acts.again(message));
    this.copy = button("Copy", "copy", () => acts.copy(this.copy, textOf(message)));
    this.follow = button("Continue with this", "choose", () => acts.choose(message));
    this.node.append(
      element("div", { className: "turn-head" }, element("i", { className: "spark", ariaHidden: "true" }), element("b", {}, message.author), this.state, this.stop),
      this.body,
      element("div", { className: "turn-foot" }, this.figures, this.branches.node, this.follow, this.copy, this.retry),
    );
  }

  update(row) {
    super.update(row);
    const { message } = this;
    const isRunning = isOpen(message);
    message.parts.forEach((part, number) => {
      const isLast = number === message.parts.length - 1;
      const view = (this.#parts[number] ??= this.#begin(part, message.parts[number - 1]));
      view.update(part, isRunning && isLast);
    });
    this.node.setAttribute("aria-busy", String(isRunning)); // a screen reader reads it when it is there
    setText(this.state, message.state === "queued" && message.place ? `${ordinal(message.place)} in the queue` : STATES[message.state]);
    this.node.classList.toggle("waiting", isRunning && !message.parts.length);
    setText(this.figures, figuresOf(message));
    this.stop.hidden = !isRunning;
    this.copy.hidden = this.retry.hidden = isRunning;
    this.follow.hidden = row.beside.length < 2 || row.chosen === message;
  }

  #begin(part, before) {
    const view = new PARTS[part.kind](part);
    const tool = part.kind === "result" && before?.kind === "tool" && this.body.lastElementChild;
    if (tool) tool.append(view.node); // beside what was asked for
    else this.body.append(view.node);
    return view;
  }
}

// ---- parts of an answer

class Said {
  node = element("div", { className: "markdown", dataset: { testid: "answer-text" } });
  #markdown = new MarkdownView(this.node);

  update({ text }, isRunning) {
    this.#markdown.update(text, { isOpen: isRunning });
    this.node.classList.toggle("running", isRunning);
  }
}

class Thought {
  constructor() {
    this.title = element("summary", {}, "Thinking");
    this.text = element("p");
    this.node = element("details", { className: "aside", dataset: { testid: "thinking" } }, this.title, this.text);
  }

  update({ text }, isRunning) {
    setText(this.title, isRunning ? "Thinking…" : "Thought about it");
    setText(this.text, text);
    this.node.classList.toggle("running", isRunning);
  }
}

class ToolCall {
  constructor({ name }) {
    this.given = element("pre", { tabIndex: 0 });
    this.node = element("details", { className: "aside tool-call", dataset: { testid: "tool" } }, element("summary", {}, "Tool ", element("code", {}, name || "?")), this.given);
  }

  update({ text }, isRunning) {
    setText(this.given, text);
    this.node.classList.toggle("running", isRunning);
  }
}

class ToolResult {
  node = element("pre", { className: "result", tabIndex: 0, dataset: { testid: "tool-result" } });

  update({ text }) {
    setText(this.node, text);
  }
}

class Failure {
  constructor({ name }) {
    this.reason = element("span");
    this.node = element("p", { className: "notice failure", role: "alert", dataset: { testid: "error", code: name } }, element("b", {}, NAMES[name] ?? "Failed"), " ", this.reason);
  }

  update({ text }) {
    setText(this.reason, text);
  }
}

const PARTS = { text: Said, thinking: Thought, tool: ToolCall, result: ToolResult, error: Failure };

// ---- words

const textOf = ({ parts }) => parts.filter(({ kind }) => kind === "text").map(({ text }) => text).join("");

function figuresOf({ state, first, seconds, tokens, firstAt, waited }) {
  if (state === "queued") return "";
  const since = isOpen({ state }) ? (performance.now() - (firstAt ?? performance.now())) / 1000 : seconds - first;
  const parts = [];
  if (waited >= 0.1) parts.push(`${waited.toFixed(1)} s in the queue`);
  if (first || firstAt) parts.push(first ? `first token after ${first.toFixed(2)} s` : "");
  if (tokens > 1 && since > 0.2) parts.push(`${Math.round((tokens - 1) / since)} tokens/s`);
  if (tokens) parts.push(`${tokens} tokens`);
  return parts.filter(Boolean).join(" · ");
}

function ordinal(number) {
  const last = number % 100 > 10 && number % 100 < 14 ? 0 : number % 10;
  return `${number}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}

/** ‹ 2/3 ›: the branches at this place. */
function branchSwitch(acts) {
  const said = element("span");
  const move = (by) => {
    const target = node.branches[node.branch + by];
    if (target) acts.choose(target);
  };
  const before = button("‹", "branch-before", () => move(-1));
  const behind = button("›", "branch-next", () => move(1));
  before.ariaLabel = "The branch before";
  behind.ariaLabel = "The next branch";
  const node = { branches: [], branch: 0 };
  const host = element("span", { className: "branches", dataset: { testid: "branches" }, hidden: true }, before, said, behind);
  return {
    node: host,
    show(branches, branch, isChosen) {
      Object.assign(node, { branches, branch });
      host.hidden = branches.length < 2 || !isChosen;
      setText(said, `${branch + 1}/${branches.length}`);
      before.disabled = !branch;
      behind.disabled = branch === branches.length - 1;
    },
  };
}
