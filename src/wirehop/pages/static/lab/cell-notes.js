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
    this.pointer = { x: -1, y: -1 }; // where it was seen last
    host.addEventListener("pointerdown", this.noted);
    host.addEventListener("scroll", this.followCell, true);
    addEventListener("scroll", this.followCell);
    addEventListener("resize", this.followCell);
  }

  end() {
    this.host.removeEventListener("pointerdown", this.noted);
    removeEventListener("resize", this.followCell);
    this.host.removeEventListener("scroll", this.followCell, true);
    removeEventListener("scroll", this.followCell);
  }

  /** Listen to a table whose cells have an `entry`. */
  follow(table) {
    this.hide();
    const first = table.querySelector("[role=gridcell]");
    if (first) first.tabIndex = 0;
    table.addEventListener("pointerover", (event) => this.pointed(event));
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

  /** A page that moves under a pointer at rest points at nothing. */
  pointed({ target, screenX, screenY }) {
    const moved = screenX !== this.pointer.x || screenY !== this.pointer.y;
    this.pointer = { x: screenX, y: screenY };
    if (moved) this.open(target.closest("[role=gridcell]"));
  }

  noted = ({ screenX, screenY }) => {
    this.pointer = { x: screenX, y: screenY };
  };

  /** Go to a cell, wherever it is. */
  show(cell) {
    if (!cell) return;
    cell.scrollIntoView({ block: "center", inline: "center" });
    cell.focus({ preventScroll: true });
    this.open(cell);
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

  /** Stay with the cell when it moves, as long as it is to be seen. */
  followCell = () => {
    if (this.panel.hidden) return;
    const place = this.cell.getBoundingClientRect();
    const view = this.cell.closest(".tables-scroll").getBoundingClientRect();
    const isSeen = place.bottom > Math.max(0, view.top) && place.top < Math.min(innerHeight, view.bottom);
    if (isSeen) this.place(place);
    else this.hide();
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
