// What is free, kept up to date: by the event stream where that works, by polling where it does not.
import {get} from './api.js';

export const FREE = 0;

/** Two bits per seat, four seats per byte, the first seat in the lowest bits. */
export function unpack(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const states = new Uint8Array(bytes.length * 4);
  for (let i = 0; i < states.length; i += 1) states[i] = (bytes[i >> 2] >> ((i & 3) * 2)) & 3;
  return states;
}

export class Availability {
  counts = new Map();  // segment → {capacity, free, held, sold}
  states = new Map();  // segment → Uint8Array, one state per seat
  state = '';          // of the event
  #event;
  #changed;
  #turned;
  #mode;
  #source = null;
  #timer = 0;
  #failures = 0;

  /** changed(segments) is called with the set of segments that differ, mode(text) with stream, poll or stale, turned(state) when ops open, pause
   *  or close the sale. */
  constructor(event, changed, mode, turned) {
    this.#turned = turned;
    this.#event = event;
    this.#changed = changed;
    this.#mode = mode;
  }

  /** Loads everything once, then follows. */
  async start() {
    await this.refresh();
    this.#follow();
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#rest() : this.#wake()));
  }

  async refresh() {
    const {body} = await get(`/v1/events/${this.#event}/availability?seats=1`);
    this.apply(body);
  }

  /** Takes a whole answer or a delta: {segments: [counts…], seats: {segment: base64}}. */
  apply(data) {
    const touched = new Set();
    const before = this.state;
    this.state = data.state ?? before;
    if (before && this.state !== before) this.#turned(this.state);
    for (const s of data.segments ?? []) {
      this.counts.set(s.segment, {...this.counts.get(s.segment), ...s});
      touched.add(s.segment);
    }
    for (const [segment, base64] of Object.entries(data.seats ?? {})) {
      this.states.set(Number(segment), unpack(base64));
      touched.add(Number(segment));
    }
    // A delta may also name single seats: [index in the segment, state].
    for (const c of data.changes ?? []) {
      const states = this.states.get(c.segment);
      for (const [index, state] of c.seats ?? []) if (states) states[index] = state;
      touched.add(c.segment);
    }
    if (touched.size) this.#changed(touched);
    if (data.stale !== undefined) this.#mode(data.stale ? 'stale' : this.#source ? 'stream' : 'poll');
  }

  /** Marks seats as taken at once, before the next delta says so. */
  take(segment, index, state = 1) {
    const states = this.states.get(segment);
    if (!states) return;
    states[index] = state;
    this.#changed(new Set([segment]));
  }

  #follow() {
    if (!('EventSource' in window)) return this.#poll();
    const source = new EventSource(`/v1/events/${this.#event}/availability/stream`);
    this.#source = source;
    const take = (e) => {
      this.#failures = 0;
      try { this.apply(JSON.parse(e.data)); } catch { /* an event of a later version */ }
    };
    source.onopen = () => this.#mode('stream');
    source.addEventListener('counts', take);
    source.addEventListener('seats', take);
    source.addEventListener('snapshot', take);
    source.onerror = () => {
      this.#failures += 1;
      // The browser reconnects by itself; when it gives up, or keeps failing, polling takes over.
      if (source.readyState !== EventSource.CLOSED && this.#failures < 3) return this.#mode('stale');
      source.close();
      this.#source = null;
      this.#poll();
    };
  }

  #poll() {
    clearTimeout(this.#timer);
    const slower = 2 ** Math.min(this.#failures, 4);
    this.#timer = setTimeout(async () => {
      try {
        await this.refresh();
        this.#failures = 0;
        this.#mode('poll');
      } catch {
        this.#failures += 1;
        this.#mode('stale');
      }
      this.#poll();
    }, 5000 * slower * (0.75 + Math.random() * 0.5) * (document.hidden ? 3 : 1));
  }

  #rest() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#timer);
  }

  #wake() {
    this.refresh().catch(() => this.#mode('stale'));
    this.#failures = 0;
    this.#follow();
  }
}
