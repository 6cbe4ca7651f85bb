// Who is here: avatars, the list of people in a room, and who is typing. It draws what it is told.

import { element } from "../ui.js";

const TYPING_MILLISECONDS = 4500; // without another signal
const ADJECTIVES = ["Calm", "Bright", "Swift", "Quiet", "Clever", "Sunny", "Gentle", "Brave", "Merry", "Nimble", "Lucky", "Witty"];
const ANIMALS = ["Otter", "Heron", "Fox", "Lynx", "Wren", "Panda", "Koala", "Falcon", "Hare", "Seal", "Finch", "Badger"];
const HUES = 15; // steps around the circle: far enough apart to tell people by

const pick = (list) => list[Math.floor(Math.random() * list.length)];
export const randomName = () => `${pick(ADJECTIVES)} ${pick(ANIMALS)}`;

/** The colour of a name, the same on every page. */
export function hue(name) {
  let hash = 0x811c9dc5; // FNV-1a, whose low bits are well mixed
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0;
  return ((hash >>> 8) % HUES) * (360 / HUES);
}

function initials(name) {
  const words = name.split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words.at(-1)].map((word) => [...word][0]) : [...(words[0] ?? "?")].slice(0, 2);
  return letters.join("").toUpperCase();
}

export const avatar = (name) =>
  element("span", { className: "avatar", ariaHidden: "true", style: { "--hue": hue(name) } }, initials(name));

export const nameOf = (info) => info?.conn_info?.name || info?.user || "somebody";

/** Members by client id; shown once per user, however many pages that user has open. */
export class People {
  #members = new Map();
  #early = []; // joins and leaves that came while the list was being read
  #isReading = false;

  constructor({ list, count, me }) {
    Object.assign(this, { list, count, me });
    this.#show();
  }

  clear() {
    this.#members.clear();
    this.#show();
  }

  /** Read the whole list with `read`, and apply on top what happens meanwhile. */
  async reload(read) {
    this.#isReading = true;
    this.#early = [];
    try {
      this.#members = new Map(Object.entries(await read()));
      for (const change of this.#early) this.#apply(change); // the last that is said of somebody holds
    } finally {
      this.#isReading = false;
      this.#show();
    }
  }

  join(info) {
    this.#change({ info, isHere: true });
  }

  leave(info) {
    this.#change({ info, isHere: false });
  }

  #change(change) {
    if (this.#isReading) this.#early.push(change);
    this.#apply(change);
    this.#show();
  }

  #apply({ info, isHere }) {
    if (isHere) this.#members.set(info.client, info);
    else this.#members.delete(info.client);
  }

  #show() {
    const users = new Map();
    for (const info of this.#members.values()) users.set(info.user || nameOf(info), nameOf(info));
    const mine = this.me();
    const names = [...users.values()].sort((a, b) => (b === mine) - (a === mine) || a.localeCompare(b));
    const row = (name) => {
      const text = element("span", {}, name);
      if (name === mine) text.append(element("span", { className: "you" }, " (you)"));
      return element("li", {}, avatar(name), text);
    };
    this.list.replaceChildren(...names.map(row));
    this.count.textContent = names.length || "";
  }
}

/** The line "Ada is typing". Everybody fades out by themselves, because a signal may be lost. */
export class Typing {
  #timers = new Map();

  constructor(line) {
    this.line = line;
    this.text = line.querySelector("span");
  }

  seen(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(() => this.stopped(name), TYPING_MILLISECONDS));
    this.#show();
  }

  stopped(name) {
    clearTimeout(this.#timers.get(name));
    if (this.#timers.delete(name)) this.#show();
  }

  clear() {
    for (const name of [...this.#timers.keys()]) this.stopped(name);
  }

  #show() {
    const names = [...this.#timers.keys()];
    this.line.classList.toggle("on", names.length > 0);
    if (names.length > 2) this.text.textContent = `${names.length} people are typing`;
    else this.text.textContent = names.length ? `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing` : "";
  }
}
