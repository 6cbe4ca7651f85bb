// How the board says states and times.

export const STATES = {
  waiting: { glyph: "○", word: "waiting" },
  running: { glyph: "◐", word: "running" },
  passed: { glyph: "✓", word: "passed" },
  failed: { glyph: "✕", word: "failed" },
  cancelled: { glyph: "⊘", word: "cancelled" },
  skipped: { glyph: "–", word: "skipped" },
  silent: { glyph: "?", word: "no sign of life" },
};

export const isOver = (state) => !["waiting", "running"].includes(state);

/** Seconds as people say them. */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** How long it ran or runs. The clocks of the server and of this machine may differ: never below nothing. */
export const elapsed = ({ began, ended }, now = Date.now()) => (began ? Math.max(0, ((ended || now) - began) / 1000) : 0);

/** What a job says below its name. */
export function jobNote(job, now) {
  if (job.state === "running") {
    const passed = elapsed(job, now);
    const left = job.expected - passed;
    return job.expected > 0 && job.expected < 300 && left > 0 ? `${duration(passed)} · ${duration(left)} left` : duration(passed);
  }
  if (job.state === "failed") return `exit ${job.code}${job.signal ? ` · ${job.signal}` : ""} · ${duration(elapsed(job))}`;
  if (job.state === "cancelled") return job.ended ? `${job.signal || `exit ${job.code}`} · ${duration(elapsed(job))}` : "did not begin";
  return job.ended ? duration(elapsed(job)) : STATES[job.state].word;
}

/** Seconds until all of it is done, by what its jobs are thought to take: the longest way through what is left. */
export function secondsLeft(jobs, now) {
  const ends = new Map();
  for (const job of jobs) {
    const begin = Math.max(0, ...job.needs.map((name) => ends.get(name) ?? 0));
    const own = isOver(job.state) ? 0 : job.state === "running" ? Math.max(0.5, job.expected - elapsed(job, now)) : job.expected;
    ends.set(job.name, begin + own);
  }
  return Math.max(0, ...ends.values());
}
