// The page surface that can be shared without a screen: a form and a board. It keeps what was written over a reload, and
// can be worked on by somebody else: `replay` does what a helper's mouse and keyboard do, in this surface and nowhere else.
//
// Fields marked `data-private` are neither painted nor reachable.

const KEPT = "wirehop.assist.form";
const INK = 2.4; // pixels
const MOST_LINES = 400; // on the board

/** What may be seen and worked on. */
const PARTS = "input, textarea, select, button, canvas";
const SPECIAL = new Set(["Backspace", "Delete", "Enter", "Tab", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"]);

export class Surface {
  #lines = []; // of the board: lists of [x, y] in parts of it
  #line = null;

  constructor(host) {
    this.host = host;
    this.form = host.querySelector("form");
    this.board = host.querySelector("canvas");
    this.#restore();
    this.form.addEventListener("input", () => this.#keep());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.said(`Saved for ${this.form.elements.name.value.trim() || "nobody"}`);
    });
    host.querySelector("[data-clear]").addEventListener("click", () => this.clear());
    this.board.addEventListener("pointerdown", (event) => this.#pen(event, true));
    this.board.addEventListener("pointermove", (event) => this.#pen(event, false));
    for (const name of ["pointerup", "pointerleave"]) this.board.addEventListener(name, () => (this.#line = null));
    new ResizeObserver(() => this.#fit()).observe(this.board);
  }

  said(text) {
    this.host.querySelector("[data-said]").textContent = text;
  }

  clear() {
    this.#lines = [];
    this.#paint();
  }

  /** The parts that somebody else may see and reach. */
  parts() {
    return [...this.host.querySelectorAll(PARTS)].filter((part) => !("private" in part.dataset));
  }

  // ---- somebody else's mouse and keyboard

  /** Do it. Places are parts of the surface's width and height. False: there is nothing of that kind to do. */
  replay({ action, x, y, key, shift }) {
    if (action === "key") return this.#key(String(key), shift === true);
    const box = this.host.getBoundingClientRect();
    const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
    const part = this.#at(place);
    const event = (name, kind = PointerEvent) =>
      part?.dispatchEvent(new kind(name, { ...place, bubbles: true, cancelable: true, button: 0, buttons: action === "up" ? 0 : 1, pointerId: 77 }));
    if (action === "move") event("pointermove");
    else if (action === "up") event("pointerup");
    else if (action === "down") {
      event("pointerdown");
      this.#press(part);
    } else return false;
    return !!part;
  }

  #at({ clientX, clientY }) {
    const isIn = ({ left, right, top, bottom }) => clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    return this.parts().find((part) => isIn((part.closest("label") ?? part).getBoundingClientRect()) && !part.disabled);
  }

  #press(part) {
    if (!part) return void document.activeElement?.blur?.();
    if (part === this.board) return;
    part.focus({ preventScroll: true });
    if (part.tagName === "SELECT") {
      part.selectedIndex = (part.selectedIndex + 1) % part.options.length; // its list cannot be opened by a script
      part.dispatchEvent(new Event("input", { bubbles: true }));
    } else if (part.type === "checkbox" || part.tagName === "BUTTON") part.click();
    else part.setSelectionRange?.(part.value.length, part.value.length);
  }

  #key(key, shift) {
    const field = document.activeElement;
    if (!this.parts().includes(field) || !(key.length === 1 || SPECIAL.has(key))) return false;
    const options = { key, shiftKey: shift, bubbles: true, cancelable: true };
    if (!field.dispatchEvent(new KeyboardEvent("keydown", options))) return true;
    if (key === "Tab") this.#step(field, shift ? -1 : 1);
    else if (field.type === "checkbox" || field.tagName === "BUTTON") {
      if (key === " " || key === "Enter") field.click();
    } else if (field.setRangeText) this.#type(field, key);
    field.dispatchEvent(new KeyboardEvent("keyup", options));
    return true;
  }

  #type(field, key) {
    const { selectionStart: start, selectionEnd: end, value } = field;
    const put = (text, from, to) => {
      if (text && field.maxLength >= 0 && value.length - (to - from) + text.length > field.maxLength) return;
      field.setRangeText(text, from, to, "end");
      field.dispatchEvent(new InputEvent("input", { bubbles: true, data: text || null, inputType: text ? "insertText" : "deleteContentBackward" }));
    };
    const go = (place) => field.setSelectionRange(place, place);
    if (key.length === 1) put(key, start, end);
    else if (key === "Backspace") put("", start === end ? Math.max(0, start - 1) : start, end);
    else if (key === "Delete") put("", start, start === end ? Math.min(value.length, end + 1) : end);
    else if (key === "ArrowLeft") go(Math.max(0, start - 1));
    else if (key === "ArrowRight") go(Math.min(value.length, end + 1));
    else if (key === "Home" || key === "ArrowUp") go(0);
    else if (key === "End" || key === "ArrowDown") go(value.length);
    else if (field.tagName === "TEXTAREA") put("\n", start, end);
    else field.form.requestSubmit();
  }

  #step(field, by) {
    const stops = this.parts().filter((part) => part !== this.board && !part.disabled);
    stops.at((stops.indexOf(field) + by) % stops.length).focus({ preventScroll: true });
  }

  // ---- the board

  #pen(event, begins) {
    const box = this.board.getBoundingClientRect();
    const point = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    if (begins) {
      this.#line = [point];
      this.#lines.push(this.#line);
      if (this.#lines.length > MOST_LINES) this.#lines.shift();
    } else if (!this.#line || !event.buttons) return;
    else this.#line.push(point);
    this.board.dataset.lines = String(this.#lines.length);
    this.#paint();
  }

  #fit() {
    this.board.width = Math.round(this.board.clientWidth * 2);
    this.board.height = Math.round(this.board.clientHeight * 2);
    this.#paint();
  }

  #paint() {
    const { width, height } = this.board;
    const pen = this.board.getContext("2d");
    pen.clearRect(0, 0, width, height);
    Object.assign(pen, { lineWidth: 2 * INK, lineCap: "round", lineJoin: "round", strokeStyle: "#2f4bd8" });
    for (const line of this.#lines) {
      pen.beginPath();
      for (const [x, y] of line) pen.lineTo(x * width, y * height);
      if (line.length === 1) pen.lineTo(line[0][0] * width + 0.1, line[0][1] * height);
      pen.stroke();
    }
    this.board.dataset.lines = String(this.#lines.length);
  }

  // ---- over a reload

  #keep() {
    const values = {};
    for (const part of this.parts()) if (part.name) values[part.name] = part.type === "checkbox" ? part.checked : part.value;
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(values));
    } catch {
      // it lasts as long as the page
    }
  }

  #restore() {
    try {
      const values = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
      for (const part of this.parts()) {
        if (!(part.name in values)) continue;
        if (part.type === "checkbox") part.checked = values[part.name] === true;
        else part.value = String(values[part.name]);
      }
    } catch {
      // as above
    }
  }
}
