// An order after the payment: followed until its tickets are there, and as long as something about it may change.
import {call, newKey, Problem} from './api.js';
import {cancel, orderOf, pay} from './checkout.js';
import {copied, linkField} from './link.js';
import {focusOn, showTickets} from './list.js';
import {SeatOffer} from './offer.js';
import {$, buttons, eventOf, nap, note, readAgain, say, wake} from './page.js';
import {download, placeOf} from './ticket.js';
import {money} from './words.js';

export const states = {
  pending_payment: ['Not paid yet', 'Your seats are still held. You can pay now, or let them go.', 0],
  paying: ['Confirming your payment', 'Your seats are fixed for you. This takes a few seconds.', 1],
  stuck: ['Still confirming your payment', 'The payment service has not told us yet how it ended. Your seats are fixed until it does. You may close this page and come back.', 1],
  paid: ['Paid. Printing your tickets', 'The seats are yours. Your tickets appear here in a moment.', 2],
  issued: ['Enjoy the show', 'These are your tickets. Print them, or show them on your phone at the door.', 3],
  expired: ['The time was up', 'The order was not paid in time, so the seats are free again. If money was taken, it goes back by itself.', 0],
  cancelled: ['Order cancelled', 'The seats are free again, and you have not been charged.', 0],
  refunding: ['Your money is on its way back', 'The order was undone. The refund has been started.', 0],
  refunded: ['Refunded', 'The order was undone and your money was sent back.', 0],
  disputed: ['Under review', 'The payment is disputed, so these tickets are on hold.', 0],
};

const patience = 7000; // milliseconds until a silent bank is worth more words
const offerPatience = 5000; // milliseconds after which somebody may have taken a ticket that is offered
const latePatience = 15000; // milliseconds after which a payment may have come for an order that has ended
const hasTickets = ['issued', 'refunding', 'refunded', 'disputed'];

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
const timeIn = (seconds) => new Date(Date.now() + 1000 * seconds).toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit'});

/** What stands over an order with tickets, of which some lines may have ended. */
function headline(state, live, tickets) {
  const valid = tickets.filter((t) => t.state === 'valid');
  if (state === 'refunding' && live) return ['Your money is on its way back', 'For a part of the order. Your other tickets stay good.'];
  if (state !== 'issued') return states[state];
  if (!valid.length) return ['All given away', 'Whoever took your tickets has codes of their own. A refund would still go to you.'];
  if (valid.some((t) => t.needs_name)) return [states.issued[0], 'Each ticket needs the name of whoever comes with it. Its code appears then.', 3];
  return states.issued;
}

export class OrderPage {
  #id;
  #event = {};
  #bankAsked = '';
  #offered = new Set(); // tickets that were offered when they were last shown
  #offer = new SeatOffer();
  #acted = null; // the ticket of which a button was pressed, and its seat
  #seat = '';

  constructor(id) { this.#id = id; }

  /** Shows the order, and goes on to do so. */
  async follow() {
    const first = await orderOf(this.#id);
    this.#event = await Promise.race([eventOf(first.event), sleep(3000).then(() => ({}))]); // tickets do not wait for its name for ever
    let wait = await this.#show(first, 0);
    for (let round = 1; ; round += 1) {
      await nap(wait);
      wait = await readAgain(async () => this.#show(await orderOf(this.#id), round));
    }
  }

  /** Shows the order as it is now; gives the milliseconds after which it is worth another look. */
  async #show(current, round) {
    this.#receipt(current);
    if (current.state === 'pending_payment') return this.#pending(current);
    const moving = Math.min(600 + round * 200, 5000) * (0.75 + Math.random() * 0.5);
    if (this.#offer.show(current)) return moving;
    if (hasTickets.includes(current.state)) {
      const list = await this.#tickets(current);
      const live = (current.lines ?? []).some((l) => !l.state);
      say(...headline(current.state, live, list));
      this.#ways(live);
      return current.state === 'refunding' ? moving : list.some((t) => t.offer) ? offerPatience : Infinity;
    }
    const over = ['expired', 'cancelled'].includes(current.state);
    if (current.state === 'paying' && performance.now() > patience) this.#paying(current);
    else {
      say(...states[current.state] ?? states.paying);
      buttons(over ? [['Look for other seats', '/buy/']] : []);
    }
    return !over ? moving : current.payments?.length ? latePatience : Infinity;
  }

  #ways(live) {
    const receipt = ['Receipt as PDF', () => download(`/v1/orders/${this.#id}/receipt.pdf`, 'receipt.pdf', this.#id), true];
    buttons(live ? [
      ['Print', async () => print()],
      ['Save as PDF', () => download(`/v1/orders/${this.#id}/tickets.pdf`, 'tickets.pdf', this.#id), true],
      receipt,
      ['Open on another device', () => this.#linkElsewhere(), true],
      ['Back to the event', '/', true],
    ] : [['Look for other seats', '/buy/'], receipt]);
  }

  /** Reads the tickets until they are there, shows them, and gives them. */
  async #tickets(current) {
    let {status, body} = await call('GET', `/v1/orders/${this.#id}/tickets`);
    for (let tries = 0; current.state === 'issued' && !(status === 200 && body.tickets?.length); tries += 1) {
      if (tries > 60) throw new Problem(500, {title: 'Your tickets take longer than usual. They are safe: reload this page in a minute.'});
      await sleep(1000);
      ({status, body} = await call('GET', `/v1/orders/${this.#id}/tickets`));
    }
    const list = body.tickets ?? [];
    const taken = list.filter((t) => t.void_reason === 'transferred' && this.#offered.has(t.id)).map((t) => placeOf(t).place);
    if (taken.length) note(`${taken.join(' and ')}: your ticket was taken, and is somebody else’s now.`);
    this.#offered = new Set(list.filter((t) => t.offer).map((t) => t.id));
    await showTickets(list, {event: this.#event, rules: body.rules, order: current, changed: (ticket, instead) => this.#changed(ticket, instead)});
    if (this.#acted) focusOn(list.find((t) => t.id === this.#acted || (t.seat === this.#seat && t.state === 'valid'))?.id);
    this.#acted = null;
    return list;
  }

  /** Something was done about a ticket: all is read again. */
  #changed(ticket, instead) {
    this.#acted = instead?.id ?? ticket.id;
    this.#seat = ticket.seat;
    wake();
  }

  /** What the order is about, in every state. */
  #receipt(current) {
    const lines = current.lines ?? [];
    const seats = lines.map((l) => l.seat).filter(Boolean);
    const back = (current.refunds ?? []).reduce((n, r) => n + r.amount, 0);
    const rows = [
      seats.length && !current.offer ? ['Seats', seats.join(', ')] : ['Tickets', String(lines.length)],
      [current.offer || ['paid', ...hasTickets].includes(current.state) ? 'Total paid' : 'Total', money(current.total ?? 0, current.currency)],
      ...(back ? [[current.state === 'refunding' ? 'On its way back' : 'Given back', money(back, current.currency)]] : []),
      ['Order', this.#id.slice(-12)],
    ];
    $('receipt').replaceChildren(...rows.flatMap(([a, b]) => [Object.assign(document.createElement('dt'), {textContent: a}), Object.assign(document.createElement('dd'), {textContent: b})]));
    $('receipt').hidden = false;
  }

  /** Makes the link that opens this order elsewhere, and copies it. */
  async #linkElsewhere() {
    const {body} = await call('POST', `/v1/orders/${this.#id}/links`, {body: {}, key: newKey()});
    const url = new URL(body.url, location.href).href;
    const says = await copied(url) ? 'The link is copied. ' : '';
    note(...linkField('order-link', `${says}Open this on the other device. Whoever has it can open this order for a week.`, url));
    $('order-link').focus();
  }

  /** The last attempt failed, or none was made yet: the seats are still held. */
  #pending(current) {
    const declined = current.payments?.some((p) => p.attempt === current.attempt && p.state === 'failed');
    const until = current.hold_until_in_s > 0 ? ` until ${timeIn(current.hold_until_in_s)}` : '';
    if (declined) say('The bank declined the payment', `Nothing was charged, and your seats are still held${until}. Try again, or let them go.`);
    else say('Not paid yet', `Your seats are still held${until}. You can pay now, or let them go.`);
    buttons([
      [declined ? 'Try again' : 'Pay now', async () => { location.assign((await pay(this.#id)).pay_url || location.href); }],
      ['Let the seats go', async () => { await cancel(this.#id); wake(); }, true],
    ]);
    return Math.max(current.hold_until_in_s ?? 0, 1) * 1000 + 1500;
  }

  /** Says more when the bank takes its time, and leads people back who left its page before they paid. */
  #paying(current) {
    const open = current.payments?.find((p) => p.attempt === current.attempt && p.state === 'created' && p.pay_url);
    if (current.paying_until_in_s > 0) this.#bankAsked ||= timeIn(current.paying_until_in_s); // once, so that the text does not change with every answer
    say('Waiting for the bank', `The bank has not told us yet that you paid. If you have not, go on there. If you have, there is nothing to do: your seats are fixed for you${this.#bankAsked && `, and at ${this.#bankAsked} we ask the bank ourselves`}. You may close this page and come back.`, 1);
    buttons(open ? [['Go on at the bank', open.pay_url]] : []);
  }
}
