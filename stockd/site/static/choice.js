// What the visitor would like: the best-available form, the standing area, and seats picked on the map.
import {notice} from './notice.js';
import {money, priceOf} from './words.js';

const $ = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

export class Choice {
  #picked = new Map(); // label → {seat, type}

  constructor(shop) {
    this.shop = shop;
    this.house = shop.house;
    this.#bestForm();
    this.#pickedForm();
    if (this.house.areas.length) this.openArea(this.house.areas[0], false);
  }

  has = (label) => this.#picked.has(label);

  labels = () => [...this.#picked.keys()];

  /** In how many different sections, or other parts of the house, the seats are. */
  spread = (part = 'section') => new Set([...this.#picked.values()].map(({seat}) => seat[part])).size;

  describe(seat) {
    const category = this.house.category(seat.category);
    const price = this.house.price(seat.category, this.house.types[0].index);
    return [`Row ${seat.row}`, `seat ${seat.number}`, category.name, price && money(priceOf(price), this.house.currency),
      seat.accessible && 'wheelchair space', seat.companion && 'companion seat', seat.restricted && 'restricted view'].filter(Boolean).join(', ');
  }

  toggle(seat) {
    if (this.#picked.has(seat.id)) this.#picked.delete(seat.id);
    else if (this.#picked.size >= this.shop.limit) return notice(`At most ${this.shop.limit} tickets per person for this event.`);
    else this.#picked.set(seat.id, {seat, type: this.house.types[0]});
    notice('');
    this.#draw();
  }

  /** Takes seats out of the choice that somebody else has: those with these labels, and whatever else the map shows as taken. Gives the labels. */
  drop(labels) {
    const gone = this.labels().filter((label) => labels.includes(label) || this.#isLost(this.#picked.get(label).seat));
    gone.forEach((label) => this.#picked.delete(label));
    this.#draw();
    return gone;
  }

  #isLost = (seat) => Boolean(this.shop.map && !this.shop.map.isFree(seat) && !this.shop.held.has(seat.id));

  clear() {
    this.#picked.clear();
    this.#draw();
  }

  /** Somebody else took a seat that is in the choice: say so before the button does. */
  availabilityChanged(segments) {
    this.#standingLeft();
    if (this.shop.taking) return;
    if (![...this.#picked.values()].some(({seat}) => segments.has(seat.segment) && this.#isLost(seat))) return;
    notice(`Somebody just took ${this.drop([]).join(', ')}.`);
  }

  #typeSelect(chosen, change) {
    const select = element('select', {ariaLabel: 'Ticket type'}, ...this.house.types.map((t) => new Option(t.name, t.index, false, t === chosen)));
    select.addEventListener('change', () => change(this.house.types.find((t) => String(t.index) === select.value)));
    select.hidden = this.house.types.length < 2;
    return select;
  }

  #draw() {
    const rows = [...this.#picked.values()].map((item) => {
      const remove = element('button', {type: 'button', textContent: '×', ariaLabel: `Remove ${item.seat.id}`});
      remove.addEventListener('click', () => this.toggle(item.seat));
      const swatch = element('span', {className: 'swatch'});
      swatch.style.setProperty('--c', this.house.category(item.seat.category).color);
      return element('li', {}, swatch,
        element('span', {className: 'what'}, `Section ${item.seat.section}`, element('small', {textContent: `Row ${item.seat.row}, seat ${item.seat.number}`}),
          this.#typeSelect(item.type, (type) => { item.type = type; this.#draw(); })),
        element('span', {className: 'cost', textContent: money(this.#cost(item.seat.category, item.type), this.house.currency)}), remove);
    });
    $('picked-items').replaceChildren(...rows);
    $('picked-note').hidden = this.spread() < 2;
    $('picked-note').textContent = `In ${this.spread()} sections. You get all of them, or none.`;
    $('picked').hidden = rows.length === 0;
    $('tip').hidden = rows.length > 0;
    const total = [...this.#picked.values()].reduce((sum, i) => sum + this.#cost(i.seat.category, i.type), 0);
    $('picked-total').textContent = money(total, this.house.currency);
    $('picked-hold').textContent = `Hold ${rows.length === 1 ? 'this seat' : `these ${rows.length} seats`} · ${money(total, this.house.currency)}`;
    this.shop.map?.refreshChoice();
  }

  #cost = (category, type) => priceOf(this.house.price(category, type.index));

  #pickedForm() {
    $('picked').addEventListener('submit', (e) => {
      e.preventDefault();
      this.shop.hold({items: [...this.#picked.values()].map(({seat, type}) => ({seat: seat.id, type: type.name})), on_conflict: 'fail'});
    });
  }

  #bestForm() {
    let quantity = 2;
    document.querySelectorAll('#best [data-step]').forEach((b) => b.addEventListener('click', () => {
      quantity = Math.min(Math.max(quantity + Number(b.dataset.step), 1), this.shop.limit);
      $('qty').textContent = quantity;
    }));
    const seated = this.house.categories.filter((c) => this.house.sections.some((s) => s.seats.some((seat) => seat.category === c.index)));
    $('cats').replaceChildren(...seated.map((c) => {
      const price = this.house.price(c.index, this.house.types[0].index);
      const swatch = element('span', {className: 'swatch'});
      swatch.style.setProperty('--c', c.color);
      return element('label', {}, element('input', {type: 'checkbox', name: 'category', value: c.name, checked: true}), swatch, element('span', {textContent: c.name}),
        element('span', {className: 'price', textContent: price ? money(priceOf(price), this.house.currency) : ''}));
    }));
    $('best').addEventListener('submit', (e) => {
      e.preventDefault();
      const categories = [...document.querySelectorAll('#cats input:checked')].map((i) => i.value);
      if (!categories.length) return notice('Choose at least one category.');
      this.shop.hold({best_available: {
        quantity, together: $('together').value, accessible: $('accessible').checked ? 1 : 0,
        ...(categories.length < seated.length && {categories}),
      }});
    });
  }

  /** Puts a standing area into its form. */
  openArea(area, scroll = true) {
    this.area = area;
    const form = $('standing');
    let quantity = 2;
    const out = element('output', {textContent: quantity});
    const step = (by, label) => {
      const b = element('button', {type: 'button', textContent: by < 0 ? '−' : '+', ariaLabel: label});
      b.addEventListener('click', () => { quantity = Math.min(Math.max(quantity + by, 1), this.shop.limit); out.textContent = quantity; });
      return b;
    };
    const others = this.house.areas.length > 1 ? [element('select', {ariaLabel: 'Area'}, ...this.house.areas.map((a) => new Option(a.label, a.id, false, a === area)))] : [];
    others[0]?.addEventListener('change', (e) => this.openArea(this.house.areas.find((a) => a.id === e.target.value), false));
    const price = this.house.price(area.c ?? 0, this.house.types[0].index);
    const button = element('button', {className: 'button primary wide', textContent: 'Hold standing tickets'});
    const counter = element('div', {className: 'stepper'}, step(-1, 'One less'), out, step(1, 'One more'));
    counter.setAttribute('role', 'group');
    counter.setAttribute('aria-label', 'Standing tickets');
    form.replaceChildren(element('h2', {textContent: area.label}), element('p', {className: 'hint', id: 'standing-left'}), ...others,
      element('div', {className: 'row'}, element('span', {textContent: price ? `Tickets, ${money(priceOf(price), this.house.currency)} each` : 'Tickets'}), counter), button);
    form.hidden = false;
    form.onsubmit = (e) => {
      e.preventDefault();
      this.shop.hold({items: [{area: area.id, quantity, type: this.house.types[0].name}], on_conflict: 'fail'});
    };
    this.#standingLeft();
    if (scroll) {
      form.scrollIntoView({block: 'center', behavior: 'smooth'});
      button.focus({preventScroll: true});
    }
  }

  #standingLeft() {
    if (!this.area || !$('standing-left')) return;
    const free = this.area.segments.reduce((n, s) => n + (this.shop.availability.counts.get(s)?.free ?? 0), 0);
    $('standing-left').textContent = free ? `Standing, ${new Intl.NumberFormat().format(free)} left` : 'Standing, nothing left at the moment';
  }
}
