// What the advisor answers, as elements: the advice, the ranking, the reasons, what would change it, its cost, and what to copy.

import { SERVER, element } from "../ui.js";
import { amount } from "./cost.js";

const COLOURS = {
  "websocket": "--wire-websocket",
  "sse": "--wire-sse",
  "sse-post": "--wire-sse",
  "stream": "--wire-stream",
  "long-poll": "--wire-long-poll",
  "short-poll": "--wire-short-poll",
  "jsonp": "--wire-jsonp",
};
const CONFIDENCE = {
  high: "high: first also when all weights move by 30 %",
  medium: "medium: first when any one weight moves by 30 %",
  low: "low: a close decision, or nothing of it was measured",
  none: "none",
};

/** The parts of an answer. `apply(flip)` changes the answer that a flip is about; `demo` is a path, or "". */
export function answerParts(advice, { demo, apply }) {
  return [
    head(advice, demo),
    ...(advice.main ? [ranking(advice)] : []),
    reasons(advice),
    ...(advice.flips.length ? [flips(advice, apply)] : []),
    ...(advice.cost ? [cost(advice)] : []),
    ...(advice.settings ? [recipes(advice)] : []),
  ];
}

const panel = (title, testid, ...children) =>
  element("section", { className: "card panel", dataset: { testid } }, element("h3", {}, title), ...children);

const colour = (name) => ({ "--wire": `var(${COLOURS[name] ?? "--wire-http"})` });

function head(advice, demo) {
  const facts = [
    ["confidence", CONFIDENCE[advice.confidence]],
    ["clients send", advice.upstream],
    ["signaling", titleOf(advice, advice.signaling)],
    ["beside it", titleOf(advice, advice.side)],
  ].filter(([, value]) => value);
  return element(
    "section",
    { className: "card panel advice-head", style: colour(advice.main), dataset: { testid: "advice-head" } },
    element("p", { className: "eyebrow" }, "Take"),
    element("h2", { dataset: { testid: "advice-main" } }, advice.title),
    element("p", { dataset: { testid: "advice-sentence" } }, advice.sentence),
    element("dl", { className: "advice-facts" }, ...facts.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
    ...advice.notes.map((note) => element("p", { className: "note" }, note)),
    ...(demo ? [element("a", { className: "button", href: new URL(demo, SERVER).href, dataset: { testid: "advice-demo" } }, "See it run")] : []),
  );
}

function titleOf(advice, name) {
  return advice.ranked.find((each) => each.name === name)?.title ?? advice.dropped.find((each) => each.name === name)?.title ?? name;
}

function ranking(advice) {
  const most = Math.max(...advice.ranked.map((each) => each.score), 0.1);
  const row = (each) =>
    element(
      "tr",
      { style: colour(each.name), dataset: { name: each.name } },
      element("th", { scope: "row" }, each.title, ...(each.in_wirehop ? [] : [" ", element("span", { className: "badge" }, "not yet in wirehop")])),
      element("td", {}, element("span", { className: "track" }, element("i", { style: { "--share": String(Math.max(0, each.score / most)), "--fill": "var(--wire)" } })), element("span", { className: "points" }, each.score.toFixed(1))),
      element("td", {}, each.p99 === null ? "–" : `${Math.round(each.p99)} ms`),
      element("td", {}, each.bytes_per_minute === null ? "–" : Math.round(each.bytes_per_minute).toLocaleString("en")),
    );
  const table = element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...["Technique", "Points", "p99", "Bytes a minute"].map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...advice.ranked.map(row)),
  );
  return panel("What is left, ranked", "ranked", element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "ranking" }, table));
}

function reasons(advice) {
  const said = advice.rules.filter((rule) => Object.keys(rule.favours).length || !rule.drops.length);
  const rules = new Map(advice.rules.map((rule) => [rule.id, rule]));
  const why = said.map((rule) => element("li", { title: rule.source }, element("span", { className: "badge" }, rule.id), " ", rule.says));
  const out = advice.dropped.map((each) =>
    element("li", {}, ...each.rules.flatMap((id) => [element("span", { className: "badge" }, id), " "]), element("b", {}, each.title), ": ", rules.get(each.rules[0]).says),
  );
  return panel(
    "Why",
    "reasons",
    element("ul", { className: "reasons" }, ...why),
    element("details", {}, element("summary", {}, `What is out (${out.length})`), element("ul", { className: "reasons" }, ...out)),
  );
}

function flips(advice, apply) {
  const row = (flip) =>
    element(
      "li",
      {},
      element("span", {}, element("code", {}, flip.input), ` ${flip.after} instead of ${flip.before}: `, element("b", {}, flip.says.split(": ").at(-1))),
      element("button", { type: "button", className: "button small", dataset: { testid: `flip-${flip.input}` }, ariaLabel: `try ${flip.input} ${flip.after}`, onclick: () => apply(flip) }, "Try"),
    );
  return panel("Would change if", "flips", element("ul", { className: "flips" }, ...advice.flips.map(row)));
}

function cost(advice) {
  const row = (item) =>
    element("tr", {}, element("th", { scope: "row" }, item.name), element("td", {}, amount(item)), element("td", { className: "quiet" }, item.worked || item.formula));
  const items = Object.values(advice.cost.items).filter((item) => item.name !== "money" || item.value !== null);
  return panel(
    `Cost for ${advice.facts.users.toLocaleString("en")} users`,
    "advice-cost",
    element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "cost" }, element("table", {}, element("tbody", {}, ...items.map(row)))),
  );
}

function recipes(advice) {
  const part = (name, text) => {
    const button = element("button", { type: "button", className: "button small" }, "Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy"), 1500);
      } catch {
        getSelection().selectAllChildren(code); // no clipboard on plain HTTP: at least it is selected
      }
    });
    const code = element("pre", { tabIndex: 0, dataset: { testid: `recipe-${name}` } }, text);
    return element("div", { className: "recipe" }, element("div", { className: "recipe-head" }, element("code", {}, name), button), code);
  };
  return panel("To copy", "recipes", part("wirehop.toml", advice.settings), part("app.py", advice.server), part("page.html", advice.page));
}
