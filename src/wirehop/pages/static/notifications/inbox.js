// The inbox as this page knows it: what the server says, and on top what the person has done a moment ago.
//
// The server's inbox has a revision; each publication is the next one. One that is known is dropped, so it does no harm
// to hear it twice; where one is missing the inbox is asked for anew. What one tab does the others show at once, whatever
// the network is like. It knows no connection: `say` asks the server, `tell` tells the other tabs, whose words are `heard`.

import { randomId } from "../ui.js";

const LONGEST = 60_000; // milliseconds that another tab is believed; after that it is as the server says
const NOTHING = { received: 0, off: 0, forgotten: 0 };

export class Inbox {
  revision = 0;
  settings = {};
  digest = null;
  counts = NOTHING;
  #notices = new Map();
  #doing = new Map(); // id → {state, token, until}: done, and not yet heard back; `until` that revision, once it is known

  /** `changed` draws. */
  constructor({ changed, say, tell }) {
    Object.assign(this, { changed, say, tell });
  }

  /** All of it, at once. What is new since the last time; nothing of an inbox that is `another`. */
  open({ revision, notices, settings, digest, counts }, { isAnother }) {
    const before = this.#notices;
    this.#notices = new Map(notices.map((notice) => [notice.id, notice]));
    Object.assign(this, { revision, settings, digest, counts });
    const fresh = isAnother ? [] : notices.flatMap((notice) => freshness(notice, before.get(notice.id)));
    this.changed();
    return fresh;
  }

  /** The next change. What is new by it; undefined where something is missing before it. */
  apply({ revision, notices = [], gone = [], settings, digest, counts }) {
    if (revision <= this.revision) return [];
    if (revision > this.revision + 1) return undefined;
    const fresh = notices.flatMap((notice) => freshness(notice, this.#notices.get(notice.id)));
    for (const notice of notices) this.#notices.set(notice.id, notice);
    for (const id of gone) this.#notices.delete(id);
    this.#stands(revision, { settings, digest, counts });
    return fresh;
  }

  get(id) {
    const notice = this.#notices.get(id);
    return notice && { ...notice, state: this.#doing.get(id)?.state ?? notice.state };
  }

  /** Newest first. */
  list() {
    return [...this.#notices.keys()].map((id) => this.get(id)).sort((one, other) => other.at - one.at || number(other) - number(one));
  }

  /** How many of each. */
  get sums() {
    const all = this.list();
    const of = (...states) => all.filter(({ state }) => states.includes(state)).length;
    return { unseen: of("unseen"), unread: of("unseen", "seen"), archived: of("archived"), inbox: all.length - of("archived") };
  }

  /**
   * Give them this state: here at once, at the server when it hears of it. What was before, for undoing; rejects, with
   * everything as it was, where the server does not take it.
   */
  async set(states) {
    const isNew = ([id, state]) => this.get(id) && this.get(id).state !== state;
    const wanted = Object.entries(states).filter(isNew);
    if (!wanted.length) return {};
    const before = Object.fromEntries(wanted.map(([id]) => [id, this.get(id).state]));
    const token = randomId();
    this.#begin(token, wanted);
    this.tell({ token, states: wanted });
    let until = 0;
    try {
      until = (await this.say("notices.set", { states: Object.fromEntries(wanted) })).revision;
    } finally {
      this.#end(token, until);
      this.tell({ token, until });
    }
    return before;
  }

  /** Another tab does something, or has done it. */
  heard({ token, states, until }) {
    if (!states) return this.#end(token, until);
    this.#begin(token, states);
    setTimeout(() => this.#end(token, 0), LONGEST);
  }

  #begin(token, states) {
    for (const [id, state] of states) this.#doing.set(id, { state, token, until: Infinity });
    this.changed();
  }

  /** From this revision on it is what the server says. */
  #end(token, until) {
    for (const each of this.#doing.values()) if (each.token === token) each.until = Math.min(each.until, until);
    this.#stands(this.revision);
  }

  /** It is known up to this revision: what was done until then is in it. */
  #stands(revision, rest = {}) {
    Object.assign(this, { revision, ...rest });
    for (const [id, { until }] of this.#doing) if (until <= revision) this.#doing.delete(id);
    this.changed();
  }
}

const number = ({ id }) => Number(id.slice(1));

/** Whether something has happened since the last time: the notice, and how many events it stands for are new. */
function freshness(notice, before) {
  if (notice.state !== "unseen" || (before && notice.count <= before.count)) return [];
  return [{ notice, more: notice.count - (before?.count ?? 0) }];
}
