// The statistics of the call: a column for each of the others.

import { element, mountPanel, setText } from "../ui.js";
import { ROWS } from "./quality.js";

const EVERY = 1000; // milliseconds

/** A panel below this button. `others()` are the participants. */
export function mountFigures(button, others) {
  const head = element("tr");
  const body = element("tbody");
  const empty = element("p", { className: "note" }, "There is nobody to be connected with yet.");
  const table = element("table", {}, element("thead", {}, head), body);
  const panel = element("div", { className: "panel-over figures-panel", role: "dialog", ariaLabel: "Statistics", dataset: { testid: "figures-panel" } },
    element("h2", {}, "Connections"), empty, element("div", { className: "table-scroll" }, table));
  document.body.append(panel);
  mountPanel(button, panel);
  let shown = "";

  const show = () => {
    if (!panel.matches(":popover-open")) return;
    const people = others();
    const ids = people.map(({ id, name }) => `${id} ${name}`).join("\n");
    empty.hidden = people.length > 0;
    table.hidden = !people.length;
    if (ids !== shown) {
      shown = ids;
      head.replaceChildren(element("th", { scope: "col" }, ""), ...people.map(({ name }) => element("th", { scope: "col" }, name)));
      body.replaceChildren(...ROWS.map(([label, row]) => element("tr", { dataset: { row } }, element("th", { scope: "row" }, label), ...people.map(({ id }) => element("td", { dataset: { participant: id } })))));
    }
    ROWS.forEach(([, , words], row) => people.forEach((each, column) => setText(body.rows[row].cells[column + 1], words(each))));
  };
  panel.addEventListener("toggle", show);
  setInterval(show, EVERY);
  return { show };
}
