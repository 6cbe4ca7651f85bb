// The questions as a form. Every one may stay unanswered; what the server assumes then stands in the field.

import { element } from "../ui.js";

const GROUPS = [
  ["What is sent", ["direction", "down", "up", "payload", "kind", "latency", "interval", "loss", "order"]],
  ["To whom", ["users", "fanout", "media", "peers", "viewers"]],
  ["Where", ["browsers", "networks", "turn_tls", "hosting", "front", "tabs", "login", "other_origin"]],
  ["And", ["resume", "secrecy", "background", "battery", "without"]],
];
const UNKNOWN = "";
const NARROW = 860; // pixels, as in advisor.css: below it the answer comes under the questions

export class AdvisorForm {
  /** `changed` is called after every change by hand. */
  constructor(catalogue, changed) {
    this.catalogue = catalogue;
    this.changed = changed;
    this.scenario = "";
    this.fields = new Map();
    this.node = element(
      "form",
      { className: "advisor-form", dataset: { testid: "advisor-form" } },
      this.scenarioField(),
      ...this.groups(),
      element("button", { type: "button", className: "button", onclick: () => this.reset() }, "Forget all answers"),
    );
    this.node.addEventListener("submit", (event) => event.preventDefault());
    this.node.addEventListener("input", (event) => {
      if (event.target !== this.choice) this.changed();
    });
  }

  /** What is answered; the rest is not in it. */
  inputs() {
    const inputs = {};
    for (const [name, field] of this.fields) {
      const value = field.read();
      if (value !== undefined) inputs[name] = value;
    }
    return inputs;
  }

  /** Show these answers, and no others. */
  fill(inputs) {
    for (const [name, field] of this.fields) field.write(inputs[name]);
  }

  set(name, value) {
    this.fields.get(name).write(value);
  }

  /** What stands for the answers that are not given. */
  showAssumed({ facts }) {
    for (const [name, field] of this.fields) field.assume(facts[name]);
  }

  reset() {
    this.choice.value = this.scenario = "";
    this.fill({});
    this.changed();
  }

  scenarioField() {
    this.choice = element(
      "select",
      { className: "field", id: "advisor-scenario", dataset: { testid: "scenario" } },
      element("option", { value: "" }, "my own answers"),
      ...this.catalogue.scenarios.map(({ id, title }) => element("option", { value: id }, title)),
    );
    this.choice.addEventListener("change", () => {
      this.scenario = this.choice.value;
      this.fill(this.catalogue.scenarios.find(({ id }) => id === this.scenario)?.inputs ?? {});
      this.changed();
    });
    return element("div", { className: "question" }, element("label", { htmlFor: "advisor-scenario" }, "Begin with a scenario"), this.choice);
  }

  groups() {
    const questions = new Map(this.catalogue.questions.map((each) => [each.name, each]));
    const grouped = new Set(GROUPS.flatMap(([, names]) => names));
    const more = [...questions.keys()].filter((name) => !grouped.has(name));
    return GROUPS.map(([title, names], at) => {
      const all = at === GROUPS.length - 1 ? [...names, ...more] : names;
      const rows = all.filter((name) => questions.has(name)).map((name) => this.row(questions.get(name)));
      return element("details", { className: "questions", open: at === 0 && innerWidth > NARROW }, element("summary", {}, title), ...rows);
    });
  }

  row(question) {
    const make = { "several": several, "number": number, "whole": number }[question.type] ?? choice;
    const field = make(question, this.catalogue.techniques);
    this.fields.set(question.name, field);
    return field.node;
  }
}

const idOf = ({ name }) => `advisor-${name}`;

/** One of some words, or yes and no. */
function choice(question) {
  const words = question.type === "yes-no" ? ["yes", "no"] : question.choices;
  const unknown = element("option", { value: UNKNOWN }, "don’t know");
  const select = element(
    "select",
    { className: "field", id: idOf(question), dataset: { testid: `ask-${question.name}` } },
    unknown,
    ...words.map((word) => element("option", { value: word }, word)),
  );
  const asWord = (value) => (typeof value === "boolean" ? (value ? "yes" : "no") : (value ?? UNKNOWN));
  return {
    node: element("div", { className: "question" }, element("label", { htmlFor: idOf(question) }, question.text), select),
    read: () => (select.value === UNKNOWN ? undefined : question.type === "yes-no" ? select.value === "yes" : select.value),
    write: (value) => (select.value = asWord(value)),
    assume: (value) => (unknown.textContent = `don’t know (${asWord(value)})`),
  };
}

function number(question) {
  const input = element("input", {
    className: "field",
    id: idOf(question),
    type: "number",
    inputMode: "decimal",
    step: question.type === "whole" ? "1" : "any",
    min: String(question.low ?? ""),
    max: String(question.high ?? ""),
    dataset: { testid: `ask-${question.name}` },
  });
  const unit = element("span", { className: "unit" }, question.unit);
  return {
    node: element("div", { className: "question" }, element("label", { htmlFor: idOf(question) }, question.text), element("div", { className: "with-unit" }, input, unit)),
    read: () => (input.value === "" || Number.isNaN(input.valueAsNumber) ? undefined : input.valueAsNumber),
    write: (value) => (input.value = value === undefined ? "" : String(Number(value.toPrecision(6)))),
    assume: (value) => (input.placeholder = String(Number(value.toPrecision(4)))),
  };
}

/** Some of some words. None ticked is no answer, unless none was written there. */
function several(question, titles) {
  const boxes = question.choices.map((word) => element("input", { type: "checkbox", value: word, dataset: { testid: `ask-${question.name}-${word}` } }));
  const assumed = element("span", { className: "note" });
  const read = () => boxes.filter((box) => box.checked).map((box) => box.value);
  const describe = (value) => (value.length ? `don’t know: ${value.join(" + ")}` : "none");
  let isNone = false;
  return {
    node: element(
      "fieldset",
      { className: "question", oninput: () => (isNone = false) },
      element("legend", {}, question.text, " ", assumed),
      element("div", { className: "boxes" }, ...boxes.map((box) => element("label", {}, box, titles[box.value] ?? box.value))),
    ),
    read: () => (read().length || isNone ? read() : undefined),
    write: (value) => {
      for (const box of boxes) box.checked = value?.includes(box.value) ?? false;
      isNone = value?.length === 0;
    },
    assume: (value) => (assumed.textContent = read().length ? "" : describe(value)),
  };
}
