// How good a connection is, in words: from what is measured of it.

// Round trip and jitter in milliseconds, loss in percent: good below the first, poor from the second on.
const LIMITS = { roundTrip: [100, 250], jitter: [20, 50], loss: [1, 5] };
export const WORDS = { good: "good", fair: "fair", poor: "poor", unknown: "not measured yet" };
const ORDER = ["good", "fair", "poor"];

const percent = (part) => `${(100 * part).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`;
const milliseconds = (seconds) => `${Math.max(1, Math.round(1000 * seconds))} ms`;
const dash = (value, words) => (value === undefined ? "–" : words(value));
const rate = (bits) => (bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`);

/** The worst of what is known counts. */
export function quality(stats) {
  const values = { roundTrip: stats?.roundTrip * 1000, jitter: stats?.jitter * 1000, loss: Math.max(stats?.loss ?? 0, stats?.lossOut ?? 0) * 100 };
  const known = Object.entries(values).filter(([, value]) => Number.isFinite(value));
  if (stats?.roundTrip === undefined) return "unknown";
  const grades = known.map(([name, value]) => (value < LIMITS[name][0] ? 0 : value < LIMITS[name][1] ? 1 : 2));
  return ORDER[Math.max(...grades)];
}

export const roundTripWords = (stats) => dash(stats?.roundTrip, milliseconds);

/** For the tooltip of the badge. */
export function networkWords({ stats, path, state }) {
  const parts = [`Connection ${state}`];
  if (stats) parts.push(`${WORDS[quality(stats)]}: round trip ${roundTripWords(stats)}, loss ${dash(stats.loss, percent)} in and ${dash(stats.lossOut, percent)} out, jitter ${dash(stats.jitter, milliseconds)}`);
  if (path) parts.push(path.words);
  return parts.join(" · ");
}

const end = (report) => (report ? `${report.type} ${report.protocol}${report.relay ? ` by ${report.relay.toUpperCase()}` : ""} ${report.address}`.trim() : "–");

const BUDGET = [["signal", "signals"], ["gather", "first candidate"], ["check", "checks"], ["dtls", "DTLS"], ["frame", "first frame"]];

/** Where the time of joining went. */
export function budgetWords(budget) {
  if (!budget) return "–";
  const parts = BUDGET.filter(([name]) => budget[name] !== undefined).map(([name, word]) => `${word} ${budget[name]}`);
  return `${budget.total} ms (${parts.join(" · ")})`;
}

/** Rows of the statistics: name, id for tests, what to show of a participant. */
export const ROWS = [
  ["State", "state", (each) => each.state],
  ["Path", "path", (each) => each.path?.words ?? "–"],
  ["Here", "local", (each) => end(each.stats?.local)],
  ["There", "remote", (each) => end(each.stats?.remote)],
  ["Round trip", "round-trip", (each) => roundTripWords(each.stats)],
  ["Loss in, out", "loss", (each) => `${dash(each.stats?.loss, percent)}, ${dash(each.stats?.lossOut, percent)}`],
  ["Jitter", "jitter", (each) => dash(each.stats?.jitter, milliseconds)],
  ["Received", "in", (each) => `${dash(each.stats?.bitrateIn, rate)} · ${dash(each.stats?.fpsIn, Math.round)} frames/s`],
  ["Sent", "out", (each) => `${dash(each.stats?.bitrateOut, rate)} · ${dash(each.stats?.fpsOut, Math.round)} frames/s`],
  ["DTLS", "dtls", (each) => each.stats?.dtls ?? "–"],
  ["SRTP cipher", "cipher", (each) => each.stats?.srtpCipher ?? (each.stats ? "not said by this browser" : "–")],
  ["Joined in", "budget", (each) => budgetWords(each.budget)],
  ["Repairs", "repairs", (each) => `${each.repairs.restarts} ICE restarts, ${each.repairs.renewals} new connections`],
];
