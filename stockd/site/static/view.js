// Pan and zoom of an SVG through its viewBox: drag, wheel, pinch, and flights to a place.

const still = matchMedia('(prefers-reduced-motion: reduce)');

export class View {
  dragged = false;      // whether the last press was a drag, so that its click means nothing
  #pointers = new Map();
  #flight = 0;
  #settle = 0;

  constructor(svg, whole) {
    Object.assign(this, {svg, whole, box: {...whole}});
    this.#apply();
    svg.addEventListener('wheel', (e) => this.#wheel(e), {passive: false});
    svg.addEventListener('pointerdown', (e) => this.#down(e));
    addEventListener('pointermove', (e) => this.#move(e));
    addEventListener('pointerup', (e) => this.#up(e));
    addEventListener('pointercancel', (e) => this.#up(e));
  }

  /** Flies to a box. */
  go(to) {
    cancelAnimationFrame(this.#flight);
    if (still.matches || document.hidden) {
      this.box = {...to};
      return this.#apply();
    }
    const from = {...this.box};
    const start = performance.now();
    const step = (now) => {
      // The frame's time can lie before the start: without the lower bound the box would turn inside out.
      const t = Math.max(0, Math.min((now - start) / 320, 1));
      const ease = 1 - (1 - t) ** 3;
      for (const key of ['x', 'y', 'w', 'h']) this.box[key] = from[key] + (to[key] - from[key]) * ease;
      this.#apply();
      if (t < 1) this.#flight = requestAnimationFrame(step);
    };
    this.#flight = requestAnimationFrame(step);
  }

  /** Zooms by a factor around a point of the screen, or the middle. */
  zoom(factor, clientX, clientY) {
    cancelAnimationFrame(this.#flight);
    const rect = this.svg.getBoundingClientRect();
    const at = this.#toMap(clientX ?? rect.x + rect.width / 2, clientY ?? rect.y + rect.height / 2);
    const w = Math.min(Math.max(this.box.w * factor, this.whole.w / 60), this.whole.w * 1.3);
    const f = w / this.box.w;
    this.box = {x: at.x - (at.x - this.box.x) * f, y: at.y - (at.y - this.box.y) * f, w, h: this.box.h * f};
    this.#apply();
  }

  /** How many pixels of the screen a length of the map has. */
  pixels = (length) => length * this.#scale();

  /** Flies so near to a point of the screen that a length of the map has so many pixels. */
  near(clientX, clientY, length, pixels) {
    const f = this.pixels(length) / pixels;
    const at = this.#toMap(clientX, clientY);
    this.go({x: at.x - (at.x - this.box.x) * f, y: at.y - (at.y - this.box.y) * f, w: this.box.w * f, h: this.box.h * f});
  }

  #apply() {
    const {x, y, w, h} = this.box;
    this.svg.setAttribute('viewBox', `${x} ${y} ${w} ${h}`);
    this.svg.classList.toggle('near', w < this.whole.w * 0.4);
    this.svg.classList.add('moving');
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.svg.classList.remove('moving'), 140);
  }

  #scale() {
    const rect = this.svg.getBoundingClientRect();
    return Math.min(rect.width / this.box.w, rect.height / this.box.h) || 1;
  }

  #toMap(clientX, clientY) {
    const rect = this.svg.getBoundingClientRect();
    const s = this.#scale();
    return {
      x: this.box.x + this.box.w / 2 + (clientX - rect.x - rect.width / 2) / s,
      y: this.box.y + this.box.h / 2 + (clientY - rect.y - rect.height / 2) / s,
    };
  }

  #wheel(e) {
    e.preventDefault();
    this.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.004), e.clientX, e.clientY);
  }

  #down(e) {
    cancelAnimationFrame(this.#flight);
    this.#pointers.set(e.pointerId, {x: e.clientX, y: e.clientY});
    if (this.#pointers.size === 1) this.dragged = false;
  }

  #move(e) {
    const last = this.#pointers.get(e.pointerId);
    if (!last) return;
    const now = {x: e.clientX, y: e.clientY};
    if (!this.dragged && Math.hypot(now.x - last.x, now.y - last.y) < 5) return;
    this.dragged = true;
    if (this.#pointers.size === 2) {
      const other = [...this.#pointers].find(([id]) => id !== e.pointerId)[1];
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      const after = Math.hypot(now.x - other.x, now.y - other.y);
      if (after > 0) this.zoom(before / after, (now.x + other.x) / 2, (now.y + other.y) / 2);
    } else {
      const s = this.#scale();
      this.box.x -= (now.x - last.x) / s;
      this.box.y -= (now.y - last.y) / s;
      this.#apply();
    }
    this.#pointers.set(e.pointerId, now);
  }

  #up(e) {
    this.#pointers.delete(e.pointerId);
  }
}
