// What a cell rests on, beside it: on hover, on focus, on a tap. Within a table the arrow keys go from cell to cell; the
// Tab key goes past it.

import { element } from "../ui.js";

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export class CellNotes {
  /** `note(number)` is a footnote, `kinds` says what its kind means. */
  constructor(host, note, kinds) {
    this.note = note;
    this.kinds = kinds;
    this.panel = element("div", { className: "cell-notes", role: "tooltip", id: "cell-notes", hidden: true, dataset: { testid: "cell-notes" } });
    this.cell = null;
    this.host = host;
    host.addEventListener("scroll", this.hide, true);
    addEventListener("scroll", this.hide);
    addEventListener("resize", this.hide);
  }

  end() {
    removeEventListener("resize", this.hide);
    this.host.removeEventListener("scroll", this.hide, true);
    removeEventListener("scroll", this.hide);
  }

  /** Listen to a table whose cells have an `entry`. */
  follow(table) {
    this.hide();
    const first = table.querySelector("[role=gridcell]");
    if (first) first.tabIndex = 0;
    const over = (event) => this.open(event.target.closest("[role=gridcell]"));
    table.addEventListener("pointerover", over);
    table.addEventListener("pointerleave", () => document.activeElement !== this.cell && this.hide());
    table.addEventListener("focusin", (event) => {
      const cell = event.target.closest("[role=gridcell]");
      if (!cell) return;
      table.querySelector("[role=gridcell][tabindex='0']").tabIndex = -1;
      cell.tabIndex = 0;
      this.open(cell);
    });
    table.addEventListener("focusout", this.hide);
    table.addEventListener("click", (event) => event.target.closest("[role=gridcell]")?.focus());
    table.addEventListener("keydown", (event) => this.moved(event));
  }

  /** Go to a cell, wherever it is. */
  show(cell) {
    if (!cell) return;
    cell.scrollIntoView({ block: "center", inline: "center" });
    cell.focus({ preventScroll: true });
    requestAnimationFrame(() => this.open(cell)); // scrolling has closed it
  }

  moved(event) {
    if (event.key === "Escape") return this.hide();
    const cell = event.target.closest("[role=gridcell]");
    const move = MOVES[event.key];
    if (!cell || !move) return undefined;
    const rows = [...cell.closest("table").rows].filter((row) => row.querySelector("[role=gridcell]"));
    const row = rows[rows.indexOf(cell.parentElement) + move[0]];
    const next = row?.cells[cell.cellIndex + move[1]];
    if (next?.getAttribute("role") !== "gridcell") return undefined;
    event.preventDefault();
    return this.show(next);
  }

  open(cell) {
    if (!cell) return this.hide();
    this.cell?.removeAttribute("aria-describedby");
    this.cell = cell;
    cell.setAttribute("aria-describedby", this.panel.id);
    this.panel.replaceChildren(...this.lines(cell.entry));
    this.panel.hidden = false;
    return this.place(cell.getBoundingClientRect());
  }

  hide = () => {
    this.cell?.removeAttribute("aria-describedby");
    this.panel.hidden = true;
  };

  lines({ kind, notes = [], said = [] }) {
    if (!kind) return [element("p", {}, "Nobody has proof, so it is not known.")];
    const texts = [...notes.map((number) => this.note(number).text), ...said];
    return [element("p", { className: "what" }, this.kinds[kind]), ...texts.map((text) => element("p", {}, text))];
  }

  /** Below the cell, or above it where there is no room; on a phone within its width. */
  place({ left, top, bottom }) {
    const { offsetWidth: width, offsetHeight: height } = this.panel;
    const room = document.documentElement;
    const isBelow = bottom + height + 8 < room.clientHeight;
    this.panel.style.left = `${Math.max(8, Math.min(left, room.clientWidth - width - 8))}px`;
    this.panel.style.top = `${isBelow ? bottom + 6 : Math.max(8, top - height - 6)}px`;
  }
}
