// The cost calculator: what each technique costs the server, from measured coefficients; every number opens its formula.

import { element, memory } from "../ui.js";

const PAUSE = 200; // ms without a change before the server is asked
const FIELDS = [
  ["users", "Users at the same time", "", 1000, 1],
  ["down", "Messages a user receives", "/min", 60, 0],
  ["up", "Messages a user sends", "/min", 0, 0],
  ["payload", "Size of a message", "bytes", 200, 1],
  ["hours", "Hours a day that a user is there", "h", 8, 0.1],
];
const PRICES = [
  ["gigabyte", "a gigabyte of traffic"],
  ["core", "a core, a month"],
  ["memory_gigabyte", "a gigabyte of memory, a month"],
  ["million_requests", "a million requests"],
];
const COLUMNS = [
  ["gigabytes", "GB/month"],
  ["requests", "Requests/s"],
  ["sockets", "Sockets"],
  ["memory", "Memory"],
  ["cores", "Cores"],
  ["money", "Money/month"],
];

/** A number of the calculator with its unit; what was not measured has none. */
export function amount({ value, unit }) {
  if (value === null) return "not measured";
  const digits = value >= 100 ? 0 : value >= 1 || value === 0 ? 1 : 3;
  const shown = value > 0 && value < 0.001 ? value.toExponential(1) : value.toLocaleString("en", { maximumFractionDigits: digits });
  return unit ? `${shown} ${unit}` : shown;
}

/** The style of advisor and cost, once. */
export function addStyle() {
  const href = new URL("advisor.css", import.meta.url).href;
  if (document.querySelector(`link[href="${href}"]`)) return;
  document.head.append(element("link", { rel: "stylesheet", href }));
}

/** Show the calculator in `host`; the returned function takes it away. */
export async function mountCost(host, client) {
  addStyle();
  const view = new CostView(host, client);
  await view.ask();
  return () => view.end();
}

class CostView {
  constructor(host, client) {
    this.host = host;
    this.client = client;
    this.asked = 0;
    const kept = memory.read("cost", {});
    this.inputs = new Map();
    const fields = FIELDS.map(([name, text, unit, usual, least]) => this.field(name, text, unit, kept[name] ?? usual, least));
    const prices = PRICES.map(([name, text]) => this.field(`price-${name}`, text, "", kept[`price-${name}`] ?? "", 0));
    this.form = element(
      "form",
      { className: "card panel cost-form", dataset: { testid: "cost-form" } },
      ...fields,
      element("details", { open: prices.some((price) => price.querySelector("input").value) }, element("summary", {}, "Prices, in your currency"), ...prices),
    );
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), PAUSE);
    });
    this.result = element("div", { className: "card panel", ariaLive: "polite", dataset: { testid: "costs" } });
    this.formula = element("div", { className: "panel-over formula", popover: "auto", role: "note", dataset: { testid: "formula" } });
    host.replaceChildren(element("div", { className: "cost" }, this.form, this.result, this.formula));
  }

  end() {
    clearTimeout(this.timer);
    this.asked = -1;
    this.host.replaceChildren();
  }

  field(name, text, unit, value, least) {
    const id = `cost-${name}`;
    const input = element("input", { className: "field", id, type: "number", inputMode: "decimal", step: "any", min: String(least), value: String(value), dataset: { testid: id } });
    this.inputs.set(name, input);
    return element("div", { className: "question" }, element("label", { htmlFor: id }, text), element("div", { className: "with-unit" }, input, element("span", { className: "unit" }, unit)));
  }

  /** The numbers in the form; what is empty is not in it. */
  numbers() {
    const given = [...this.inputs].map(([name, input]) => [name, input.valueAsNumber]);
    return Object.fromEntries(given.filter(([, value]) => !Number.isNaN(value)));
  }

  async ask() {
    const number = ++this.asked;
    const given = this.numbers();
    memory.write("cost", given);
    const { users, down = 0, up = 0, payload, hours = 8 } = given;
    const inputs = { users, down: down / 60, up: up / 60, payload, direction: up ? "both" : "down", interval: 10 };
    const prices = Object.fromEntries(PRICES.flatMap(([name]) => (given[`price-${name}`] ? [[name, given[`price-${name}`]]] : [])));
    let costs;
    try {
      ({ costs } = await this.client.rpc("lab.cost", { inputs, hours, prices }));
    } catch (error) {
      if (number === this.asked) this.result.replaceChildren(element("p", { className: "notice", role: "alert" }, error.message));
      return;
    }
    if (number === this.asked) this.show(costs);
  }

  show(costs) {
    const columns = COLUMNS.filter(([name]) => name !== "money" || costs.some(({ items }) => items.money.value !== null));
    const table = element(
      "table",
      {},
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Technique"), ...columns.map(([, title]) => element("th", { scope: "col" }, title)))),
      element("tbody", {}, ...costs.map((row) => this.row(row, columns))),
    );
    const note = "Choose a number to see where it comes from. What clients send is not in the cores. Short polls ask every 10 s.";
    this.result.replaceChildren(
      element("div", { className: "table-scroll", tabIndex: 0, role: "region", ariaLabel: "costs" }, table),
      element("p", { className: "note" }, note),
    );
    this.result.dataset.asked = String(this.asked);
  }

  row({ technique, title, items }, columns) {
    const cell = ([name, column]) => {
      const item = items[name];
      const shown = amount({ ...item, unit: name === "memory" ? item.unit : "" });
      const dataset = { testid: `cost-${technique}-${name}` };
      const button = element("button", { type: "button", className: "figure", ariaLabel: `${title}, ${column}: ${shown}`, dataset }, shown);
      button.addEventListener("click", () => this.open(button, title, item));
      return element("td", item.value === null ? { className: "quiet" } : {}, button);
    };
    return element("tr", { dataset: { name: technique } }, element("th", { scope: "row" }, title), ...columns.map(cell));
  }

  /** The formula of a number, below it. */
  open(button, title, item) {
    const missing = item.missing.length ? [element("p", { className: "note" }, `not measured, or not given: ${item.missing.join(", ")}`)] : [];
    this.formula.replaceChildren(
      element("p", { className: "eyebrow" }, `${title}: ${item.name}`),
      element("p", {}, item.formula),
      ...(item.worked ? [element("p", {}, element("code", {}, `${item.worked} = ${amount(item)}`))] : []),
      ...missing,
    );
    const { left, bottom } = button.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    this.formula.style.setProperty("--left", `${Math.max(12, Math.min(left, width - Math.min(420, width - 24) - 12))}px`);
    this.formula.style.setProperty("--top", `${bottom + 6}px`);
    this.formula.showPopover();
  }
}
