// Quantiles, how sure one can be of them, and who is quicker than whom. Pure.

export const LEAST_SAMPLES = 1000;
const LATE_MILLISECONDS = 10;
const LATE_SHARE = 0.2; // of the quickest median
const ROUNDS = 400;
const BLOCK = 20; // messages in a row share their luck (a stall holds up several): they are drawn together

/** The quantile of numbers that are sorted (nearest rank). */
export function quantile(sorted, share) {
  if (!sorted.length) return NaN;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** Random numbers that are the same every time (mulberry32). */
export function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Between which values a quantile lies in 95 of 100 cases: a bootstrap over blocks of neighbours. */
export function interval(samples, share, { rounds = ROUNDS, block = BLOCK, seed = 1 } = {}) {
  if (!samples.length) return [NaN, NaN];
  const random = seeded(seed);
  const drawn = new Float64Array(samples.length);
  const found = new Float64Array(rounds);
  const length = Math.min(block, samples.length);
  for (let round = 0; round < rounds; round++) {
    for (let place = 0; place < drawn.length; place += length) {
      const from = Math.floor(random() * (samples.length - length + 1));
      for (let step = 0; step < length && place + step < drawn.length; step++) drawn[place + step] = samples[from + step];
    }
    found[round] = quantile(drawn.sort(), share);
  }
  found.sort();
  return [quantile(found, 0.025), quantile(found, 0.975)];
}

/** What there is to say of samples in the order in which they were sent. */
export function summary(samples) {
  const sorted = Float64Array.from(samples).sort();
  return { samples: samples.length, p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95), p99: quantile(sorted, 0.99), interval: interval(samples, 0.99) };
}

/**
 * Places, by p99: who is above somebody has an interval that lies wholly below the other's; intervals that overlap share
 * a place. `entries`: {name, samples, p50, interval, missing}. What is too little, or has holes, has no place. Nothing has
 * one where the publisher was late itself (`late`: its p99 in milliseconds): the machine was measured then, not the wires.
 */
export function rank(entries, late = 0) {
  if (late > Math.max(LATE_MILLISECONDS, LATE_SHARE * Math.min(...entries.map(({ p50 }) => p50)))) {
    return { places: new Map(), isDifferent: false, words: `no ranking: this machine is too busy, messages left up to ${late.toFixed(0)} ms late` };
  }
  const fair = entries.filter(({ samples, missing }) => samples >= LEAST_SAMPLES && !missing);
  const places = new Map();
  for (const entry of fair) places.set(entry.name, 1 + fair.filter((other) => other.interval[1] < entry.interval[0]).length);
  const isDifferent = new Set(places.values()).size > 1;
  const few = entries.some(({ samples }) => samples < LEAST_SAMPLES);
  let words = `no difference seen: the 95 % intervals of p99 overlap`;
  if (!fair.length) words = few ? `no ranking: it takes ${LEAST_SAMPLES.toLocaleString("en")} messages of each wire` : "no ranking: every wire has holes";
  else if (fair.length === 1) words = "nothing to compare";
  else if (isDifferent) words = "ranked by p99; those whose 95 % intervals overlap share a place";
  return { places, isDifferent, words };
}
