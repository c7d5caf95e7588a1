// Giving a ticket back for its money, as long as the event takes tickets back.
import {call, newKey, tokensOf} from './api.js';
import {explain, moment, money, priceOf} from './words.js';

const make = (tag, className, textContent = '') => Object.assign(document.createElement(tag), {className, textContent});

/** Asks twice, then gives the ticket back; nothing for tickets that are not taken back, or not from this browser. */
export function returnForm(ticket, {event, order, changed}) {
  const line = order?.lines.find((l) => (l.seat ?? `${l.area} ${l.unit}`) === ticket.seat);
  if (ticket.state !== 'valid' || !line || line.state || !event.refunds_until || Date.parse(event.refunds_until) <= Date.now()) return null;
  const amount = money(priceOf(line.price), order.currency);
  const key = newKey();
  const says = make('p', 'hint');
  says.setAttribute('role', 'status');
  const yes = Object.assign(make('button', 'button quiet', `Give it back for ${amount}`), {type: 'button'});
  yes.addEventListener('click', async () => {
    yes.disabled = true;
    try {
      await call('POST', `/v1/orders/${order.id}/refunds`, {body: {items: [line.seat ? {seat: line.seat} : {area: line.area, unit: line.unit}]}, key, headers: tokensOf(order.id)});
      changed();
    } catch (problem) {
      says.textContent = explain(problem);
      yes.disabled = false;
    }
  });
  const box = make('details', 'return');
  box.append(make('summary', '', 'Give it back'),
    make('p', 'hint', `The ticket is void at once, its place is on sale again, and ${amount} go back to where they came from. Possible until ${moment(event.refunds_until)}.`), yes, says);
  return box;
}
