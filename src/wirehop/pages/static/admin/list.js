// A long list, of which the server gives one page at a time: search, order, pages; rows that stay what they are.

import { ask, count } from "./api.js";
import { element, setText } from "../ui.js";

const ROWS = 50;
const SEARCH_DELAY = 150; // milliseconds after the last key

const icon = (path) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
};
const ARROWS = { first: "M18 6l-6 6 6 6M8 6v12", previous: "M14.5 6l-6 6 6 6", next: "M9.5 6l6 6-6 6", last: "M6 6l6 6-6 6M16 6v12" };

/**
 * `columns`: {name, label, sort, begins ("asc" or "desc"), isText, fill(cell, row)}; the first one opens the row.
 * `what` is asked of the server with `filters()`; `keyOf(row)` tells rows apart; `open(row)` shows one.
 */
export class List {
  #rows = new Map(); // key → element
  #page = 0;
  #asked = 0;
  #timer;

  constructor(host, { what, columns, keyOf, open, order, filters = () => ({}), emptyText, changed }) {
    Object.assign(this, { host, what, columns, keyOf, open, order, filters, emptyText, changed });
    this.search = host.querySelector(".search");
    this.body = host.querySelector("tbody");
    this.empty = host.querySelector(".empty");
    this.#makeHead();
    this.#makePager();
    this.search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.restart(), SEARCH_DELAY);
    });
  }

  /** From the first page. */
  restart() {
    clearTimeout(this.#timer); // what was typed is asked for now; later it would take back the page chosen meanwhile
    this.#page = 0;
    return this.refresh().catch((error) => this.changed(error));
  }

  /** Ask for this page anew. An answer that was overtaken by a later question is dropped. */
  async refresh() {
    const asked = ++this.#asked;
    const found = await ask(this.what, {
      search: this.search.value.trim(),
      sort: this.order.sort,
      order: this.order.direction,
      offset: this.#page * ROWS,
      limit: ROWS,
      ...this.filters(),
    });
    if (asked !== this.#asked) return;
    if (!found.rows.length && this.#page > 0 && found.reachable > 0) {
      this.#page = Math.ceil(found.reachable / ROWS) - 1; // the list has become shorter
      return this.refresh();
    }
    this.#show(found);
  }

  // ---- the head

  #makeHead() {
    const head = this.host.querySelector("thead tr");
    const select = this.host.querySelector("select.sort");
    this.heads = this.columns.map((column) => {
      const cell = element("th", { scope: "col" });
      if (column.isText) cell.classList.add("text");
      if (!column.sort) cell.append(column.label);
      else {
        const button = element("button", { type: "button", dataset: { testid: `sort-${column.sort}` } }, column.label);
        button.addEventListener("click", () => this.#sortBy(column));
        cell.append(button);
        for (const direction of [column.begins, column.begins === "asc" ? "desc" : "asc"]) {
          select.append(element("option", { value: `${column.sort} ${direction}` }, `${column.label} ${direction === "asc" ? "↑" : "↓"}`));
        }
      }
      return cell;
    });
    head.replaceChildren(...this.heads);
    select.addEventListener("change", () => {
      const [sort, direction] = select.value.split(" ");
      this.#order({ sort, direction });
    });
    this.select = select;
    this.#showOrder();
  }

  #sortBy(column) {
    const isAgain = this.order.sort === column.sort;
    const other = this.order.direction === "asc" ? "desc" : "asc";
    this.#order({ sort: column.sort, direction: isAgain ? other : column.begins });
  }

  #order(order) {
    this.order = order;
    this.#showOrder();
    this.restart();
  }

  #showOrder() {
    const { sort, direction } = this.order;
    this.select.value = `${sort} ${direction}`;
    this.heads.forEach((cell, index) => {
      if (this.columns[index].sort === sort) cell.setAttribute("aria-sort", direction === "asc" ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
  }

  // ---- pages

  #makePager() {
    const button = (name, label, go) => {
      const made = element("button", { className: "button icon-button", type: "button", ariaLabel: label, title: label, dataset: { testid: `page-${name}` } }, icon(ARROWS[name]));
      made.addEventListener("click", () => {
        this.#page = go();
        this.refresh().catch((error) => this.changed(error));
      });
      return made;
    };
    this.range = element("span", { className: "range", dataset: { testid: "range" } });
    this.range.setAttribute("role", "status");
    this.pages = { first: button("first", "First page", () => 0), previous: button("previous", "Previous page", () => this.#page - 1) };
    this.pages.next = button("next", "Next page", () => this.#page + 1);
    this.pages.last = button("last", "Last page", () => this.lastPage);
    this.host.querySelector(".pager").replaceChildren(this.range, ...Object.values(this.pages));
  }

  // ---- rows

  #show({ rows, matched, reachable }) {
    this.lastPage = Math.max(0, Math.ceil(reachable / ROWS) - 1);
    const begin = this.#page * ROWS;
    const cut = reachable < matched ? ` · this order ends at ${count(reachable)}, narrow the search for more` : "";
    setText(this.range, matched ? `${count(begin + 1)}–${count(begin + rows.length)} of ${count(matched)}${cut}` : "");
    this.pages.first.disabled = this.pages.previous.disabled = this.#page === 0;
    this.pages.next.disabled = this.pages.last.disabled = this.#page >= this.lastPage;
    this.empty.hidden = matched > 0;
    this.host.querySelector("table").hidden = this.host.querySelector(".pager").hidden = matched === 0;
    setText(this.empty, this.emptyText(this.search.value.trim()));
    this.#fill(rows);
    this.host.dataset.answers = Number(this.host.dataset.answers ?? 0) + 1;
  }

  /** Rows are known by their key, so that what has the focus, or lies under the pointer, stays the same thing. */
  #fill(rows) {
    const keys = new Set(rows.map(this.keyOf));
    for (const [key, node] of this.#rows) {
      if (keys.has(key)) continue;
      node.remove();
      this.#rows.delete(key);
    }
    let place = this.body.firstElementChild;
    for (const row of rows) {
      const key = this.keyOf(row);
      let node = this.#rows.get(key);
      if (!node) this.#rows.set(key, (node = this.#makeRow(row)));
      if (node === place) place = place.nextElementSibling;
      else this.body.insertBefore(node, place);
      node.row = row;
      this.columns.forEach((column, index) => column.fill(node.cells[index], row));
    }
  }

  #makeRow() {
    const cells = this.columns.map((column, index) => {
      const cell = element("td", { className: `${column.name}${column.isText ? " text" : ""}`, dataset: { label: column.label } });
      if (index === 0) cell.append(element("button", { type: "button", className: "opener" }));
      return cell;
    });
    const node = element("tr", {}, ...cells);
    node.addEventListener("click", () => {
      if (!String(getSelection())) this.open(node.row); // who marks text wants to copy it
    });
    return node;
  }
}
