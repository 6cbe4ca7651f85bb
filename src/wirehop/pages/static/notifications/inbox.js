// The inbox as this page knows it: what the server says, and on top what the person has done a moment ago.
//
// The server's inbox has a revision; each publication is the next one. One that is known is dropped, so it does no harm
// to hear it twice; where one is missing the inbox is asked for anew. It knows no connection: `say` tells the server.

const NOTHING = { received: 0, off: 0, forgotten: 0 };

export class Inbox {
  revision = 0;
  settings = {};
  digest = null;
  counts = NOTHING;
  #notices = new Map();
  #doing = new Map(); // id → {state, until}: done here, and not yet heard back; `until` that revision, once it is known

  /** `changed` draws; `say(method, data)` asks the server. */
  constructor({ changed, say }) {
    Object.assign(this, { changed, say });
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
    const doing = wanted.map(([id, state]) => [id, { state, until: Infinity }]);
    for (const [id, each] of doing) this.#doing.set(id, each);
    this.changed();
    try {
      const { revision } = await this.say("notices.set", { states: Object.fromEntries(wanted) });
      for (const [, each] of doing) each.until = revision;
    } catch (error) {
      for (const [, each] of doing) each.until = 0;
      throw error;
    } finally {
      this.#stands(this.revision);
    }
    return before;
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
