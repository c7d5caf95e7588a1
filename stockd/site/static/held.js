// The hold on the screen: its seats, its clock, more time, paying, letting go.
import {openOrder, pay} from './checkout.js';
import * as holds from './hold.js';
import {notice} from './notice.js';
import {clock, explain, money, priceOf} from './words.js';

const $ = (id) => document.getElementById(id);

export class Held {
  #hold = null;
  #order = null;
  #life = 1;
  #timer = 0;
  #said = 0;
  #asking = false;

  constructor(shop) {
    this.shop = shop;
    $('extend').addEventListener('click', () => this.#extend());
    document.addEventListener('visibilitychange', () => { if (!document.hidden && this.#hold) this.#ask(); });
    $('release').addEventListener('click', () => this.#release());
    $('buyer').addEventListener('submit', (e) => { e.preventDefault(); this.#pay(new FormData(e.target)); });
  }

  has = (label) => this.labels().includes(label);

  labels = () => (this.#hold?.items ?? []).flatMap((i) => i.seat ?? []);

  show(hold, wish) {
    this.#hold = hold;
    this.#order = null;
    this.#life = hold.expires_in_s || 600;
    $('choose').hidden = true;
    $('held').hidden = false;
    const currency = hold.items?.[0]?.price?.currency ?? this.shop.house.currency;
    $('held-items').replaceChildren(...(hold.items ?? []).map((i) => this.#item(i, currency)));
    const sum = (part) => (hold.items ?? []).reduce((n, i) => n + part(i.price ?? {}) * (i.quantity ?? 1), 0);
    $('held-total').textContent = money(sum(priceOf), currency);
    const fee = sum((p) => p.fee || 0);
    $('held-fee').textContent = fee ? `with ${money(fee, currency)} fees` : '';
    $('pay').textContent = `Pay ${money(sum(priceOf), currency)}`;
    this.#note(hold, wish);
    this.#showOnMap(hold);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), 500);
    this.#tick();
    $('panel').focus({preventScroll: true});
    $('panel').scrollIntoView({block: 'start'});
  }

  /** Opens the section in which the seats are, so that people see what they got; the house when they are in several. */
  #showOnMap(hold) {
    const seats = (hold.items ?? []).map((i) => this.shop.house.seats.get(i.seat)).filter(Boolean);
    const sections = new Set(seats.map((seat) => this.shop.house.bySegment.get(seat.segment)));
    this.shop.map?.show(sections.size === 1 ? [...sections][0] : null);
    this.shop.map?.refreshChoice();
  }

  /** Another tab let the seats go, or they are bought. */
  gone() {
    if (this.#hold) this.#over(null);
  }

  #note(hold, wish) {
    const apart = wish?.best_available?.quantity > 1 && hold.together === false;
    const text = hold.substituted ? 'Your seats were taken, so these are the nearest ones.' : apart ? 'These seats are not all side by side.' : '';
    $('held-note').hidden = !text;
    $('held-note').textContent = text;
  }

  #item(item, currency) {
    const li = document.createElement('li');
    const seat = this.shop.house.seats.get(item.seat);
    const what = Object.assign(document.createElement('span'), {className: 'what'});
    const small = document.createElement('small');
    if (seat) {
      what.append(`Section ${seat.section}`);
      small.textContent = `Row ${seat.row}, seat ${seat.number} · ${item.type ?? ''}`;
    } else {
      const area = this.shop.house.areas.find((a) => a.id === item.area);
      what.append(area?.label ?? item.area ?? item.seat ?? 'Ticket');
      small.textContent = `Standing · ${item.type ?? ''}`;
    }
    what.append(small);
    li.append(what, Object.assign(document.createElement('span'), {className: 'cost', textContent: item.price ? money(priceOf(item.price), currency) : ''}));
    return li;
  }

  #tick() {
    const left = (this.#hold.ends - performance.now()) / 1000;
    $('time').textContent = clock(left);
    $('hand').style.strokeDashoffset = String(100 - 100 * Math.max(0, Math.min(1, left / this.#life)));
    $('clock').classList.toggle('soon', left < 90);
    // Spoken at two minutes and at one, not with every second.
    const mark = left < 60 ? 1 : left < 120 ? 2 : 0;
    if (mark && mark !== this.#said) {
      this.#said = mark;
      $('clock-status').textContent = mark === 2 ? 'Two minutes left.' : 'One minute left.';
    }
    document.title = `${clock(left)} · ${this.shop.house.name ?? 'Tickets'}`;
    if (left <= 0 && !this.#asking) this.#ask();
  }

  /** Asks the server: another tab may have got more time, and this device's clock may have slept. */
  async #ask() {
    this.#asking = true;
    try {
      const hold = await holds.resume(this.shop.event);
      if (!this.#hold) return;
      if (!hold) return this.#over('hold-expired');
      if (hold.state !== 'held') return this.#ordered(hold.order);
      Object.assign(this.#hold, hold);
      this.#life = Math.max(this.#life, hold.expires_in_s || 0);
    } catch {
      // Not known: it is asked again with a later tick, and the clock stands at zero meanwhile.
      await new Promise((done) => { setTimeout(done, 2000); });
    } finally {
      this.#asking = false;
    }
  }

  /** These seats are being paid for in another tab. */
  #ordered(order) {
    this.#close();
    this.shop.unfinished(order);
  }

  #over(kind) {
    holds.forget(this.shop.event);
    this.#close();
    if (kind) notice(explain({kind, body: {}}), {bad: true});
  }

  #close() {
    clearInterval(this.#timer);
    this.#hold = null;
    $('held').hidden = true;
    $('choose').hidden = false;
    document.title = `Choose your seats · ${this.shop.house.name ?? 'Tickets'}`;
    this.shop.map?.refreshChoice();
    this.shop.availability.refresh().catch(() => {});
  }

  async #extend() {
    try {
      const before = this.#hold.ends;
      const hold = await holds.extend(this.#hold);
      this.#hold = hold;
      this.#life = hold.expires_in_s || this.#life;
      this.#said = 0;
      notice(hold.ends - before < 5000 ? 'That is all the time that there is for these seats.' : '');
      this.#tick();
    } catch (e) {
      this.#fail(e);
    }
  }

  async #release() {
    try {
      await holds.release(this.shop.event, this.#hold);
      this.#over(null);
      notice('');
    } catch (e) {
      this.#fail(e);
    }
  }

  async #pay(form) {
    const button = $('pay');
    button.setAttribute('aria-busy', 'true');
    button.disabled = true;
    try {
      // Once the order is open its prices are fixed; a second press only starts the payment that did not start.
      this.#order ??= await openOrder(this.#hold, {name: form.get('name'), email: form.get('email')});
      const payment = await pay(this.#order.id);
      location.assign(payment.pay_url || `/tickets?order=${this.#order.id}`);
    } catch (e) {
      this.#fail(e);
      button.removeAttribute('aria-busy');
      button.disabled = false;
    }
  }

  #fail(e) {
    if (e.kind === 'hold-expired' || e.status === 404) return this.#over('hold-expired');
    notice(explain(e), {bad: true});
  }
}
