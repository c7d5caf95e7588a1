// Other seats for an order that was paid when its own were gone: shown beside those that it had, to take or to leave.
import {newKey, post, Problem} from './api.js';
import {$, buttons, note, say, wake} from './page.js';
import {placeOf} from './ticket.js';

const make = (tag, className, ...parts) => {
  const e = Object.assign(document.createElement(tag), {className});
  e.append(...parts);
  return e;
};

const paidStates = ['paid', 'issued'];
const booking = ['Booking your new seats', 'We book them for you, at the price that you paid. This takes a few seconds.', 1];
const goingBack = ['Your money is on its way back', 'You said no to the other seats. There is nothing more to do.'];

/** One item of an order in a cell of the table. */
function cell(item) {
  const {place, where} = placeOf(item);
  return make('td', '', make('span', 'place', place), make('span', 'kind', [where, item.category, item.type].filter(Boolean).join(' · ')));
}

/** What was bought beside what is offered, a row for each line of the order. */
function table(lines, items) {
  const head = make('tr', '', ...['You had', 'You can have'].map((text) => Object.assign(make('th', '', text), {scope: 'col'})));
  const rows = items.map((item, i) => make('tr', '', cell(lines[i] ?? {}), cell(item)));
  return make('table', 'offer', make('thead', '', head), make('tbody', '', ...rows));
}

/** Whether an order looks for seats: its money is there, and it is not paid yet. In time, money and seats come in one step. */
const paidLate = (order) => order.state === 'paying' && order.payments?.some((p) => p.attempt === order.attempt && ['authorized', 'captured'].includes(p.state));

export class SeatOffer {
  #until = ''; // the end of the offer that is on the page, as the service writes it
  #ends = 0; // the same by this device's clock
  #said = null; // what was answered here: true for yes

  /** Shows what is offered, or that seats are looked for. False: the order has nothing of the kind, and is shown as any other. */
  show(order) {
    $('offer').hidden = !order.offer;
    if (order.offer) return this.#offered(order);
    if (paidLate(order)) {
      if (this.#until) say(...booking);
      else say('Your payment came late', 'It arrived when your seats were free again. We are looking for the same seats, or for others at least as good. This takes a few seconds.', 1);
      buttons([]);
      return true;
    }
    if (this.#until) this.#over(order.state);
    return false;
  }

  #offered({id, lines, offer}) {
    if (offer.until !== this.#until) {
      this.#until = offer.until;
      this.#ends = Date.now() + 1000 * offer.until_in_s;
      $('offer').replaceChildren(table(lines, offer.items));
    }
    if (offer.until_in_s <= 0) {
      $('offer').hidden = true;
      say('The time is over', 'The other seats are not kept for you any more. Your money goes back to you by itself; there is nothing to do.');
      buttons([]);
      return true;
    }
    const one = offer.items.length === 1;
    const until = new Date(this.#ends).toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit'});
    say(`Your seat${one ? ' is' : 's are'} gone. Take ${one ? 'this one' : 'these'} instead?`, `Your payment came when the time for your order was over, and your ${one ? 'seat is not' : 'seats are not all'} free any more. `
      + `We keep ${one ? 'another one' : 'others'} for you, at least as good, at the price that you paid, until ${until}. If you do not answer until then, your money goes back to you by itself.`);
    buttons([
      [one ? 'Take this seat' : 'Take these seats', () => this.#answer(id, true)],
      ['I want my money back', () => this.#answer(id, false), true],
    ]);
    return true;
  }

  async #answer(id, accept) {
    try {
      await post(`/v1/orders/${id}/offer`, {accept}, {key: newKey()});
      this.#said = accept;
      say(...accept ? booking : goingBack);
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.status !== 409) throw problem; // 409: the offer has ended, and the order says how
    }
    note();
    $('heading').tabIndex = -1; // the button that had the focus is about to go
    $('heading').focus();
    wake();
  }

  /** The offer has ended: says how, once; where the money is, the order's own words say. */
  #over(state) {
    const late = this.#ends <= Date.now();
    const taken = paidStates.includes(state);
    this.#until = '';
    if (taken) note(this.#said ? 'You took the seats that we kept for you. Your old seats are not yours any more.' : 'The seats that we kept for you were taken on another device. They are yours now.');
    else if (this.#said) note('The seats that we kept for you could not be booked after all.');
    else if (this.#said === false) note('You asked for your money back.');
    else note(late ? 'The time to take other seats is over.' : 'The money was asked back on another device.');
  }
}
