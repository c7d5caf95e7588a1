// The arithmetic of the line, without a browser in it: where a rank stands, how long that takes, when to ask again.
// Ranks are unsigned 64-bit numbers and arrive as decimal text, so they are BigInt here.

/** How many places have a rank up to `rank`, by the frontier document's histogram of [rank, cumulative count] points. */
export function countUpTo(histogram, rank) {
  let low = null;
  for (const [text, count] of histogram) {
    const at = BigInt(text);
    if (at > rank) {
      // Between two points people are taken as evenly spread.
      if (!low) return 0;
      const share = Number(rank - low.at) / Number(at - low.at);
      return low.count + Math.floor((count - low.count) * share);
    }
    low = {at, count};
  }
  return low ? low.count : 0;
}

/** The frontier that holds for a place: the slow lane has its own. */
export function frontierOf(doc, place) {
  return BigInt(doc.frontier?.[place.class === 3 ? 'slow' : 'main'] ?? 0);
}

/** Number in the line from 1 on, or 0 when it cannot be known yet. */
export function position(doc, place) {
  if (!doc.histogram?.length || place.rank === 0n) return place.position || 0;
  return Math.max(1, countUpTo(doc.histogram, place.rank) - countUpTo(doc.histogram, frontierOf(doc, place)));
}

/** Whether somebody has to leave before the next one can come in. */
export const isFull = (doc) => doc.max_active > 0 && doc.inside >= doc.max_active;

/** Watches how fast the line really moves: the rate is only an upper bound when the house is full. */
export class Pace {
  #samples = [];

  add(doc, place) {
    const at = doc.as_of_ms || Date.now();
    const opened = doc.histogram?.length ? countUpTo(doc.histogram, frontierOf(doc, place)) : 0;
    const last = this.#samples.at(-1);
    if (last && (at <= last.at || opened < last.opened)) return;
    this.#samples.push({at, opened});
    while (this.#samples.length > 2 && at - this.#samples[0].at > 120_000) this.#samples.shift();
  }

  /** People per second, by what was seen over at least 20 seconds, else by the stated rate, which says nothing of a full house; 0 when unknown. */
  speed(doc, place) {
    const rate = isFull(doc) ? 0 : (doc.rate || 0) * (place.class === 3 ? 0.05 : 1);
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || last.at - first.at < 20_000) return rate;
    const seen = (last.opened - first.opened) / ((last.at - first.at) / 1000);
    return seen > 0 ? Math.min(rate || seen, seen * 1.15) : rate;
  }
}

/** When to ask again, in milliseconds, by the server's table of [wait under seconds, milliseconds]; a wait of null is unknown. */
export function pollEvery(table, waitSeconds) {
  if (!table?.length) return 10_000;
  const wait = waitSeconds ?? Infinity;
  const row = table.find(([under]) => under === null || wait < under);
  return (row ?? table.at(-1))[1];
}

/** When those ask again at the latest whom the next ones who leave let in: they are few, whatever the length of the line. */
export const pollNear = (ahead) => (ahead < 20 ? 3000 : ahead < 200 ? 10_000 : Infinity);

/** Spreads a delay by ±25 % so that a crowd does not ask in step. */
export const jitter = (ms) => ms * (0.75 + Math.random() * 0.5);

/** A fixed share of 0..1 by a visitor's id: at the opening everybody asks at their own moment. */
export const spread = (tid) => parseInt((tid || '0').slice(0, 6), 16) / 0xffffff || 0;

/** Keeps the two or three leading digits from 200 on: an exact number would look like a promise. */
export function roughly(n) {
  let unit = 1;
  while (n / unit >= 200) unit *= 10;
  return Math.floor(n / unit) * unit;
}

/** A wait in words, in bands. locale.go has the same rules. */
export function waitText(t, number, seconds) {
  if (seconds === null) return t.wait_unknown;
  if (seconds < 60) return t.wait_short;
  if (seconds >= 90 * 60) return t.wait_hours.replace('{n}', number(Math.floor(seconds / 3600)));
  const minutes = Math.floor(seconds / 60);
  const step = minutes >= 30 ? 15 : minutes >= 10 ? 5 : 2;
  const low = Math.floor(minutes / step) * step;
  return t.wait_band.replace('{a}', number(Math.max(low, 1))).replace('{b}', number(low + step));
}
