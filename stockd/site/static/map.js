// The seat map in SVG. The overview draws each section as a shape tinted by how much of it is free, with its seats as dots in two paths;
// only the section that is open has an element per seat, which can be clicked, and walked through by arrow keys.
import {FREE} from './availability.js';
import {boxOf} from './house.js';
import {View} from './view.js';

const NS = 'http://www.w3.org/2000/svg';

function make(name, attributes, parent) {
  const e = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  parent?.append(e);
  return e;
}

const pathOf = (points, key = (p) => [p.x, p.y]) => points.map((p, i) => `${i ? 'L' : 'M'}${key(p).join(' ')}`).join('') + 'Z';
const fingerPixels = 22;
const round = (n) => Math.round(n * 10) / 10;

export class SeatMap {
  #open = null;
  #drawn = new Map();   // section or area id → its elements
  #seatNodes = new Map(); // label → element, of the open section
  #mine = new Map();      // section → its seats that are chosen or held

  /** on: {toggle(seat), area(area), opened(section or null), chosen(label) → bool, mine() → labels, describe(seat) → text} */
  constructor(host, house, availability, on) {
    Object.assign(this, {house, availability, on, host});
    const all = [...house.sections.flatMap((s) => s.seats), ...house.areas.flatMap((a) => (a.polygon ?? []).map(([x, y]) => ({x, y})))];
    const box = boxOf(all);
    const margin = Math.max(box.w, box.h) * 0.04 + 10;
    this.whole = {x: box.x - margin, y: box.y - margin, w: box.w + 2 * margin, h: box.h + 2 * margin};
    this.svg = make('svg', {role: 'group', 'aria-label': 'Seat map. Choose a section to see its seats.'});
    host.replaceChildren(this.svg);
    this.tag = Object.assign(document.createElement('div'), {className: 'tag', hidden: true});
    host.append(this.tag);
    this.view = new View(this.svg, this.whole);
    this.labels = make('g', {class: 'labels', 'aria-hidden': true});
    this.#drawStage(house.focal);
    house.areas.forEach((a) => this.#drawArea(a));
    house.sections.forEach((s) => this.#drawSection(s));
    this.svg.append(this.labels);
    this.overlay = make('g', {}, this.svg);
    this.svg.addEventListener('click', (e) => this.#click(e));
    this.svg.addEventListener('keydown', (e) => this.#key(e));
    this.svg.addEventListener('pointerover', (e) => this.#point(e));
    this.svg.addEventListener('pointerleave', () => { this.tag.hidden = true; });
    this.svg.addEventListener('focusin', (e) => this.#point(e));
    this.svg.addEventListener('focusout', () => { this.tag.hidden = true; });
  }

  #mark(section, open) {
    const drawn = this.#drawn.get(section.id);
    drawn.group.classList.toggle('open', open);
    drawn.label.style.display = open ? 'none' : '';
  }

  /** One step back: from the seats of a section to the house, else a little further out. */
  back() {
    if (this.#open) this.show(null);
    else this.view.zoom(1 / 0.6);
  }

  /** Redraws what belongs to these segments. */
  changed(segments) {
    const touched = new Set([...segments].map((n) => this.house.bySegment.get(n)).filter(Boolean));
    for (const s of touched) s.area ? this.#tintArea(s) : this.#tintSection(s);
  }

  /** Shows the seats of one section, or the whole house for null. */
  show(section) {
    if (this.#open) this.#mark(this.#open, false);
    this.#open = section;
    this.#seatNodes.clear();
    this.overlay.replaceChildren();
    this.tag.hidden = true;
    if (section) {
      this.#mark(section, true);
      this.#drawSeats(section);
      const pad = section.pitch * 3;
      this.view.go({x: section.box.x - pad, y: section.box.y - pad, w: section.box.w + 2 * pad, h: section.box.h + 2 * pad});
    } else {
      this.view.go(this.whole);
    }
    this.on.opened(section);
  }

  /** Draws the choice anew. */
  refreshChoice() {
    for (const [label, node] of this.#seatNodes) this.#paint(node, this.house.seats.get(label));
    const before = this.#mine;
    this.#mine = new Map();
    for (const label of this.on.mine()) {
      const seat = this.house.seats.get(label);
      const section = seat && this.house.bySegment.get(seat.segment);
      if (section) this.#mine.set(section, [...(this.#mine.get(section) ?? []), seat]);
    }
    for (const section of new Set([...before.keys(), ...this.#mine.keys()])) this.#markMine(section);
  }

  /** Shows in a section that is not open that there are seats of one's own. */
  #markMine(section) {
    const drawn = this.#drawn.get(section.id);
    const seats = this.#mine.get(section) ?? [];
    drawn.ring.classList.toggle('on', seats.length > 0);
    drawn.mine.setAttribute('d', seats.map((seat) => `M${round(seat.x)} ${round(seat.y)}h0`).join(''));
    this.#name(section);
  }

  #name(s) {
    const {free, capacity} = this.free(s);
    const mine = this.#mine.get(s)?.length;
    this.#drawn.get(s.id).group.setAttribute('aria-label', `Section ${s.label}, ${free ? `${free} of ${capacity} free` : 'nothing free'}${mine ? `, ${mine} yours` : ''}`);
  }

  free(s) {
    let n = 0;
    let capacity = 0;
    for (const segment of s.segments) {
      const c = this.availability.counts.get(segment);
      n += c?.free ?? 0;
      capacity += c?.capacity ?? 0;
    }
    return {free: n, capacity: capacity || s.capacity || s.seats?.length || 1};
  }

  isFree = (seat) => (this.availability.states.get(seat.segment)?.[seat.index] ?? FREE) === FREE;

  #drawSection(s) {
    const group = make('g', {class: 'section', tabindex: 0, role: 'button', 'data-section': s.id}, this.svg);
    const d = pathOf(s.outline, (p) => [round(p.x), round(p.y)]);
    make('path', {class: 'shape', d, 'stroke-width': round(s.pitch * 1.5)}, group);
    const ring = make('path', {class: 'ring', d}, group);
    const taken = make('path', {class: 'dots taken', 'stroke-width': round(s.pitch * 0.42)}, group);
    const free = this.house.categories.map((c) => make('path', {class: 'dots', stroke: c.color, 'stroke-width': round(s.pitch * 0.6)}, group));
    const mine = make('path', {class: 'dots mine', 'stroke-width': round(s.pitch * 0.9)}, group);
    // A narrow section gets as much as its width bears: a smaller name could not be read at all.
    const size = Math.min(Math.max(Math.min(s.box.w / (s.id.length * 0.72), s.box.h * 0.42), s.pitch * 1.8), Math.min(this.whole.w, this.whole.h) * 0.03);
    const label = make('g', {}, this.labels);
    const name = make('text', {class: 'name', x: round(s.centre.x), y: round(s.centre.y - size * 0.35), 'font-size': round(size), 'stroke-width': round(size * 0.28)}, label);
    name.textContent = s.id;
    const left = make('text', {class: 'left', x: round(s.centre.x), y: round(s.centre.y + size * 0.6), 'font-size': round(size * 0.62), 'stroke-width': round(size * 0.22)}, label);
    this.#drawn.set(s.id, {group, label, ring, taken, free, mine, left});
    this.#tintSection(s);
  }

  #tintSection(s) {
    const drawn = this.#drawn.get(s.id);
    const {free, capacity} = this.free(s);
    drawn.group.style.setProperty('--share', free === 0 ? 0 : 0.15 + 0.85 * (free / capacity));
    this.#name(s);
    drawn.left.textContent = free ? String(free) : '–';
    let taken = '';
    const paths = this.house.categories.map(() => '');
    for (const seat of s.seats) {
      const dot = `M${round(seat.x)} ${round(seat.y)}h0`;
      const at = this.house.categories.findIndex((c) => c.index === seat.category);
      if (this.isFree(seat) && at >= 0) paths[at] += dot;
      else taken += dot;
    }
    drawn.taken.setAttribute('d', taken);
    paths.forEach((d, i) => drawn.free[i].setAttribute('d', d));
    if (this.#open === s) this.refreshChoice();
  }

  /** Where everybody looks, below everything else, so that a floor in front of it stays whole. */
  #drawStage(focal) {
    if (!focal) return;
    const size = Math.min(this.whole.w, this.whole.h) * 0.035;
    const [x, y] = [focal[0], this.#beside(focal, size * 0.9)];
    const group = make('g', {'aria-hidden': true}, this.svg);
    make('rect', {class: 'stage', x: x - size * 2.4, y: y - size * 0.8, width: size * 4.8, height: size * 1.6, rx: size * 0.4}, group);
    make('text', {class: 'stagename', x, y, 'font-size': round(size * 0.75)}, group).textContent = 'Stage';
  }

  /** The height at which the stage's name is not hidden by a floor: moved away from the middle of the house. */
  #beside([x, y], half) {
    const floor = this.house.areas.map((a) => (a.polygon ?? []).map(([px, py]) => ({x: px, y: py}))).filter((p) => p.length).map(boxOf)
      .find((b) => x > b.x && x < b.x + b.w && y > b.y - half && y < b.y + b.h + half);
    if (!floor) return y;
    return y < this.whole.y + this.whole.h / 2 ? Math.min(y, floor.y - half) : Math.max(y, floor.y + floor.h + half);
  }

  #drawArea(a) {
    const points = (a.polygon ?? []).map(([x, y]) => ({x, y}));
    if (!points.length) return;
    const box = boxOf(points);
    const group = make('g', {class: 'section', tabindex: 0, role: 'button', 'data-area': a.id}, this.svg);
    make('path', {class: 'shape', d: pathOf(points), 'stroke-width': 4}, group);
    make('path', {class: 'ring', d: pathOf(points)}, group);
    const size = Math.min(box.w / (a.label.length * 0.7), box.h * 0.3, Math.min(this.whole.w, this.whole.h) * 0.04);
    const [x, y] = [round(box.x + box.w / 2), round(box.y + box.h / 2)];
    const label = make('g', {}, this.labels);
    const name = make('text', {class: 'name', x, y: round(y - size * 0.4), 'font-size': round(size), 'stroke-width': round(size * 0.2)}, label);
    name.textContent = a.label;
    const left = make('text', {class: 'left', x, y: round(y + size * 0.7), 'font-size': round(size * 0.6), 'stroke-width': round(size * 0.2)}, label);
    this.#drawn.set(a.id, {group, label, left});
    this.#tintArea(a);
  }

  #tintArea(a) {
    const drawn = this.#drawn.get(a.id);
    if (!drawn) return;
    const {free, capacity} = this.free(a);
    drawn.group.style.setProperty('--share', free === 0 ? 0 : 0.15 + 0.85 * (free / capacity));
    drawn.group.setAttribute('aria-label', `${a.label}, standing, ${free ? `${free} of ${capacity} free` : 'nothing free'}`);
    drawn.left.textContent = free ? `${free} standing` : 'full';
  }

  #drawSeats(s) {
    const r = s.pitch * 0.4;
    const group = make('g', {role: 'group', 'aria-label': `Seats of section ${s.label}. Arrow keys move, space chooses, escape goes back.`}, this.overlay);
    for (const row of s.rows) {
      const [a, b] = [row[0], row[1] ?? row[0]];
      const turn = Math.atan2(b.y - a.y, b.x - a.x);
      const name = make('text', {class: 'rowname', 'aria-hidden': true, x: round(a.x - Math.cos(turn) * s.pitch * 1.2), y: round(a.y - Math.sin(turn) * s.pitch * 1.2), 'font-size': round(s.pitch * 0.55), 'stroke-width': round(s.pitch * 0.2)}, group);
      name.textContent = a.row;
    }
    let first = true;
    for (const seat of s.seats) {
      const shape = seat.accessible
        ? {x: round(seat.x - r), y: round(seat.y - r), width: round(2 * r), height: round(2 * r), rx: round(r * 0.35)}
        : {cx: round(seat.x), cy: round(seat.y), r: round(r)};
      const node = make(seat.accessible ? 'rect' : 'circle', {class: 'seat', role: 'checkbox', tabindex: first ? 0 : -1, 'data-seat': seat.id, 'stroke-width': round(r * 0.28), ...shape}, group);
      node.style.setProperty('--c', this.house.category(seat.category).color);
      first = false;
      this.#seatNodes.set(seat.id, node);
      this.#paint(node, seat);
    }
  }

  #paint(node, seat) {
    const mine = this.on.chosen(seat.id);
    const off = !mine && !this.isFree(seat);
    node.classList.toggle('mine', mine);
    node.classList.toggle('off', off);
    node.setAttribute('aria-checked', mine);
    node.setAttribute('aria-disabled', off);
    node.setAttribute('aria-label', this.on.describe(seat) + (off ? ', taken' : ''));
  }

  #hit(e) {
    const seat = e.target.closest?.('[data-seat]');
    const section = e.target.closest?.('[data-section]');
    const area = e.target.closest?.('[data-area]');
    return {
      seat: seat && this.house.seats.get(seat.dataset.seat),
      section: section && this.house.sections.find((s) => s.id === section.dataset.section),
      area: area && this.house.areas.find((a) => a.id === area.dataset.area),
    };
  }

  #click(e) {
    if (this.view.dragged) return;
    // A finger cannot tell seats apart that lie closer than this: the first tap brings them nearer, the next one chooses.
    if (this.#open && e.pointerType === 'touch' && this.view.pixels(this.#open.pitch) < fingerPixels) {
      return this.view.near(e.clientX, e.clientY, this.#open.pitch, fingerPixels * 1.4);
    }
    this.#act(this.#hit(e));
  }

  #act({seat, section, area}) {
    if (seat) {
      if (this.isFree(seat) || this.on.chosen(seat.id)) this.on.toggle(seat);
    } else if (area) this.on.area(area);
    else if (section && section !== this.#open) this.show(section);
  }

  #key(e) {
    const hit = this.#hit(e);
    if (e.key === 'Enter' || e.key === ' ') {
      e.preventDefault();
      this.#act(hit);
      // The map is in sight already: without preventScroll the page would slide under its own header.
      if (hit.section) this.#seatNodes.values().next().value?.focus({preventScroll: true});
    } else if (e.key === 'Escape' && this.#open) {
      const back = this.#drawn.get(this.#open.id).group;
      this.show(null);
      back.focus({preventScroll: true});
    } else if (hit.seat && e.key.startsWith('Arrow')) {
      e.preventDefault();
      this.#walk(hit.seat, e.key);
    }
  }

  /** Moves to the nearest seat in the direction of an arrow key, as the map shows it. */
  #walk(from, key) {
    const [dx, dy] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[key];
    let best = null;
    let least = Infinity;
    for (const seat of this.#open.seats) {
      const [x, y] = [seat.x - from.x, seat.y - from.y];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy - y * dx);
      const cost = along + across * 2.5;
      if (along > this.#open.pitch * 0.3 && across < along * 2 && cost < least) [best, least] = [seat, cost];
    }
    if (!best) return;
    this.#seatNodes.get(from.id).setAttribute('tabindex', -1);
    const node = this.#seatNodes.get(best.id);
    node.setAttribute('tabindex', 0);
    node.focus({preventScroll: true});
  }

  #point(e) {
    const {seat} = this.#hit(e);
    this.tag.hidden = !seat;
    if (!seat) return;
    const [first, ...rest] = this.on.describe(seat).split(', ');
    const free = this.isFree(seat) || this.on.chosen(seat.id);
    this.tag.replaceChildren(`${first}, ${rest.shift()}`, Object.assign(document.createElement('small'), {textContent: free ? rest.join(', ') : 'taken'}));
    const node = this.#seatNodes.get(seat.id).getBoundingClientRect();
    const box = this.host.getBoundingClientRect();
    this.tag.style.left = `${Math.min(Math.max(node.x + node.width / 2 - box.x, 70), box.width - 70)}px`;
    this.tag.style.top = `${node.y - box.y}px`;
  }
}
