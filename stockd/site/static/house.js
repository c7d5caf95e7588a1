// The compiled map in a form that the shop can ask: sections with their seats, rows, outlines and prices. No drawing here.
import {priceOf} from './words.js';

// Category colours are told apart by colour-blind people too, in light and in dark.
const palette = ['#7a5cff', '#0b94a3', '#d98200', '#d6409f', '#3f7fe0', '#7a8b1f'];

const ACCESSIBLE = 1;
const COMPANION = 2;
const RESTRICTED = 4;

export class House {
  constructor(map) {
    Object.assign(this, {focal: map.focal, name: map.name, types: map.types?.length ? map.types : [{index: 0, name: 'adult'}], prices: map.prices ?? []});
    this.categories = (map.categories ?? []).map((c, i) => ({...c, color: c.color || palette[(c.index ?? i) % palette.length]}));
    this.currency = map.currency ?? this.prices[0]?.currency ?? 'EUR';
    this.seats = new Map();     // label → seat
    this.sections = [];
    this.areas = (map.areas ?? []).map((a) => ({...a, area: true, segments: a.segments ?? [a.segment], label: a.name || a.id}));
    const bySection = new Map();
    for (const s of map.segments ?? []) {
      if (!bySection.has(s.section)) bySection.set(s.section, []);
      bySection.get(s.section).push(s);
    }
    for (const section of map.sections ?? []) {
      const parts = bySection.get(section.id) ?? [];
      if (!section.area && parts.some((p) => p.seats?.length)) this.sections.push(this.#section(section, parts));
    }
    this.bySegment = new Map();
    for (const s of [...this.sections, ...this.areas]) for (const n of s.segments) this.bySegment.set(n, s);
  }

  category = (index) => this.categories.find((c) => c.index === index) ?? this.categories[0] ?? {index: 0, name: '', color: palette[0]};

  price(category, type) {
    return this.prices.find((p) => p.category === category && p.type === type) ?? this.prices.find((p) => p.category === category);
  }

  /** The lowest price of a category over its types. */
  lowest(category) {
    const all = this.prices.filter((p) => p.category === category).map(priceOf);
    return all.length ? Math.min(...all) : null;
  }

  #section(section, parts) {
    const seats = [];
    for (const part of parts) {
      part.seats.forEach((seat, index) => {
        const words = seat.id.split('-');
        const s = {
          id: seat.id, x: seat.x, y: seat.y, category: seat.c ?? 0, segment: part.segment, index, section: section.id,
          row: words.length > 2 ? words.slice(1, -1).join('-') : words[0], number: words.at(-1),
          accessible: Boolean((seat.f ?? 0) & ACCESSIBLE), companion: Boolean((seat.f ?? 0) & COMPANION),
          restricted: Boolean((seat.f ?? 0) & RESTRICTED),
        };
        seats.push(s);
        this.seats.set(s.id, s);
      });
    }
    const rows = [...Map.groupBy?.(seats, (s) => s.row).values() ?? group(seats)];
    const box = boxOf(seats);
    const pitch = pitchOf(rows);
    const name = section.name && section.name !== section.id ? section.name : '';
    return {id: section.id, name, label: name ? `${section.id}, ${name}` : section.id, segments: parts.map((p) => p.segment), seats, rows, box, pitch, outline: outlineOf(rows), centre: centreOf(rows)};
  }
}

function group(seats) {
  const rows = new Map();
  for (const s of seats) rows.set(s.row, [...(rows.get(s.row) ?? []), s]);
  return rows.values();
}

export function boxOf(points) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const p of points) {
    x0 = Math.min(x0, p.x); x1 = Math.max(x1, p.x);
    y0 = Math.min(y0, p.y); y1 = Math.max(y1, p.y);
  }
  return {x: x0, y: y0, w: x1 - x0, h: y1 - y0};
}

/** The usual distance between neighbours of a row. */
function pitchOf(rows) {
  const gaps = [];
  for (const row of rows) for (let i = 1; i < row.length; i += 1) gaps.push(Math.hypot(row[i].x - row[i - 1].x, row[i].y - row[i - 1].y));
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] || 10;
}

/** Along the first row, down the ends of the rows, back along the last row, up again: follows curves, where a convex hull would not. */
function outlineOf(rows) {
  const first = rows[0];
  const last = rows.at(-1);
  return [...first, ...rows.slice(1, -1).map((r) => r.at(-1)), ...(rows.length > 1 ? [...last].reverse() : []), ...rows.slice(1, -1).reverse().map((r) => r[0])];
}

/** A point that is really inside, also of a curved section. */
function centreOf(rows) {
  const row = rows[rows.length >> 1];
  return row[row.length >> 1];
}
