// Paints a page surface on a canvas, as a picture that can be sent: a page cannot ask the browser for one of itself
// without the person choosing it. What is painted are the surface's texts and parts where they are on the page, with
// their colours; fields marked `data-private` are hatched.

const EVERY = 66; // milliseconds between two pictures
const SCALE = 1.5; // pixels of the picture per pixel of the page
const WIDEST = 1920;

export class Painter {
  #timer = 0;

  constructor(surface) {
    this.surface = surface;
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { alpha: false });
  }

  /** A track of it, painted until `stop`. */
  start() {
    this.paint();
    this.#timer = setInterval(() => this.paint(), EVERY);
    const [track] = this.canvas.captureStream(1000 / EVERY).getVideoTracks();
    track.contentHint = "text"; // sharp rather than smooth
    return track;
  }

  stop() {
    clearInterval(this.#timer);
  }

  paint() {
    const { host } = this.surface;
    this.box = host.getBoundingClientRect();
    const scale = Math.min(SCALE, WIDEST / this.box.width);
    const even = (size) => Math.max(2, 2 * Math.round((size * scale) / 2)); // encoders want even numbers
    const width = even(this.box.width);
    const height = even(this.box.height);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.pen.setTransform(width / this.box.width, 0, 0, height / this.box.height, 0, 0);
    this.pen.fillStyle = getComputedStyle(host).backgroundColor;
    this.pen.fillRect(0, 0, this.box.width, this.box.height);
    for (const part of host.querySelectorAll("h2, p, span, button, input, textarea, select, canvas")) this.#part(part);
  }

  #part(part) {
    const { left, top, width, height } = part.getBoundingClientRect();
    if (!width || !height) return;
    const box = { x: left - this.box.left, y: top - this.box.top, width, height };
    const style = getComputedStyle(part);
    const isPart = part.matches("button, input, textarea, select, canvas");
    if (isPart) this.#frame(box, style, part === document.activeElement);
    if ("private" in part.dataset) this.#hatch(box);
    else if (part.tagName === "CANVAS") this.pen.drawImage(part, box.x, box.y, width, height);
    else if (part.type === "checkbox") this.#tick(box, part.checked);
    else if (part.matches("input, textarea")) this.#field(part, box, style);
    else if (part.tagName === "SELECT") this.#text(part.selectedOptions[0]?.text ?? "", box, style, 12);
    else if (part.tagName === "BUTTON") this.#text(part.textContent.trim(), box, style, 0, "center");
    else if (!part.children.length) this.#text(part.textContent.trim(), box, style, 0);
  }

  #frame({ x, y, width, height }, style, isFocused) {
    const { pen } = this;
    pen.beginPath();
    pen.roundRect(x + 0.5, y + 0.5, width - 1, height - 1, Math.min(parseFloat(style.borderRadius) || 0, height / 2));
    pen.fillStyle = style.backgroundColor;
    pen.fill();
    pen.strokeStyle = isFocused ? "#5b5bd6" : style.borderColor;
    pen.lineWidth = isFocused ? 2.5 : 1;
    pen.stroke();
  }

  #hatch({ x, y, width, height }) {
    const { pen } = this;
    pen.save();
    pen.beginPath();
    pen.rect(x + 2, y + 2, width - 4, height - 4);
    pen.clip();
    pen.beginPath();
    for (let at = x - height; at < x + width; at += 9) {
      pen.moveTo(at, y + height);
      pen.lineTo(at + height, y);
    }
    pen.strokeStyle = "#8888";
    pen.lineWidth = 3;
    pen.stroke();
    pen.restore();
  }

  #tick({ x, y, width, height }, isChecked) {
    if (!isChecked) return;
    this.pen.fillStyle = "#5b5bd6";
    this.pen.fillRect(x + width * 0.22, y + height * 0.22, width * 0.56, height * 0.56);
  }

  #field(field, box, style) {
    const text = field.value || field.placeholder;
    const lineHeight = parseFloat(style.lineHeight) || 21;
    const isLong = field.tagName === "TEXTAREA";
    this.#font(style);
    this.pen.globalAlpha = field.value ? 1 : 0.55;
    const lines = isLong ? this.#wrapped(text, box.width - 26) : [text];
    const first = box.y + (isLong ? 8 : (box.height - lineHeight) / 2) + lineHeight / 2;
    this.pen.save();
    this.pen.beginPath();
    this.pen.rect(box.x + 2, box.y + 2, box.width - 4, box.height - 4);
    this.pen.clip();
    lines.forEach((line, index) => this.pen.fillText(line, box.x + 12, first + index * lineHeight));
    this.pen.globalAlpha = 1;
    if (field === document.activeElement && field.value.length === field.selectionEnd) {
      const end = field.value ? this.pen.measureText(lines.at(-1)).width : 0;
      this.pen.fillRect(box.x + 12.5 + end, first + (lines.length - 1) * lineHeight - 9, 1.5, 18);
    }
    this.pen.restore();
  }

  #text(text, { x, y, width, height }, style, inset, align = "start") {
    this.#font(style);
    const lines = this.#wrapped(text, width - 2 * inset + 4);
    const lineHeight = parseFloat(style.lineHeight) || 21;
    const first = y + height / 2 - ((lines.length - 1) * lineHeight) / 2;
    this.pen.textAlign = align;
    lines.forEach((line, index) => this.pen.fillText(line, align === "center" ? x + width / 2 : x + inset, first + index * lineHeight));
    this.pen.textAlign = "start";
  }

  #font({ fontStyle, fontWeight, fontSize, fontFamily, letterSpacing, color }) {
    this.pen.letterSpacing = letterSpacing === "normal" ? "0px" : letterSpacing;
    Object.assign(this.pen, { font: `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`, fillStyle: color, textBaseline: "middle" });
  }

  /** Lines that fit. */
  #wrapped(text, width) {
    const lines = [];
    for (const paragraph of text.split("\n")) {
      let line = "";
      for (const word of paragraph.split(/(?<=\s)/)) {
        if (line && this.pen.measureText(line + word.trimEnd()).width > width) {
          lines.push(line);
          line = "";
        }
        line += word;
      }
      lines.push(line);
    }
    return lines;
  }
}
