// The page of what somebody has: an order, a ticket that was given to them, or all of it to choose from.
import {get, keepToken} from './api.js';
import {knownOrders, orderOf} from './checkout.js';
import {focusOn, showTickets} from './list.js';
import {OrderPage, states} from './order.js';
import {$, buttons, eventOf, nap, readAgain, say, wake} from './page.js';
import {knownTickets, rememberTicket} from './received.js';
import {download, placeOf} from './ticket.js';
import {explain, money} from './words.js';

const query = new URLSearchParams(location.search);
const offerPatience = 5000; // milliseconds after which somebody may have taken a ticket that is offered

/** A ticket that was given to this browser. It may be passed on like one of an order, and gets a name like one. */
async function follow(id) {
  const read = async () => (await get(`/v1/tickets/${id}`)).body;
  let ticket = await read();
  const [event, {body: rules}] = await Promise.all([eventOf(ticket.event), get(`/v1/events/${ticket.event}/ticket-rules`)]);
  let acted = false;
  const changed = (_, instead) => {
    acted = true;
    if (instead && instead.id !== id) {
      keepToken(instead);
      rememberTicket(instead.id, id);
      id = instead.id;
      history.replaceState(null, '', `/tickets?ticket=${id}`);
    }
    wake();
  };
  for (;;) {
    const gone = ticket.void_reason === 'transferred';
    if (ticket.state === 'valid') say('Your ticket', 'It was given to you, and is yours. Show it on your phone at the door, or print it.');
    else say(gone ? 'You gave it away' : 'This ticket is void', gone ? 'Whoever took it has a code of their own.' : 'It lets nobody in. Ask whoever bought it, or the organiser.');
    await showTickets([ticket], {event, rules, changed});
    if (acted) focusOn(ticket.id);
    acted = false;
    buttons(ticket.state === 'valid' ? [
      ['Print', async () => print()],
      ['Save as PDF', () => download(`/v1/tickets/${id}.pdf`, 'ticket.pdf', id), true],
      ['Back to the event', '/', true],
    ] : [['To the event', '/']]);
    await nap(ticket.offer ? offerPatience : Infinity);
    ticket = await readAgain(read);
  }
}

/** One of the list: what it is, and how it stands. */
function entry(href, what, how) {
  const li = Object.assign(document.createElement('li'), {className: 'known'});
  li.append(Object.assign(document.createElement('a'), {href, textContent: what}), Object.assign(document.createElement('span'), {textContent: how}));
  return li;
}

function orderEntry(o) {
  const n = o.lines?.length ?? 0;
  return [`/tickets?order=${o.id}`, `${n} ticket${n === 1 ? '' : 's'}, ${money(o.total ?? 0, o.currency)}`, o.offer ? 'Other seats are kept for you' : states[o.state]?.[0] ?? ''];
}

const ticketEntry = (t) => [`/tickets?ticket=${t.id}`, `A ticket that was given to you: ${placeOf(t).place}`, t.state === 'valid' ? 'Yours' : t.void_reason === 'transferred' ? 'Given away' : 'Void'];

/** Without an order in the address: what was bought in this browser or given to it; all of it to choose from, when it is more than one thing. */
async function choose() {
  const read = (ids, one) => Promise.all(ids.map((id) => one(id).catch(() => null))).then((list) => list.filter(Boolean));
  const [orders, tickets] = await Promise.all([read(knownOrders(), orderOf), read(knownTickets(), async (id) => (await get(`/v1/tickets/${id}`)).body)]);
  const known = [...tickets.map(ticketEntry), ...orders.map(orderEntry)];
  if (known.length === 1) return location.replace(known[0][0]);
  if (!known.length) {
    say('No order in this browser', 'Orders open in the browser in which they were made. Open this page there, or by the link of your order.');
    return buttons([['To the event', '/'], ['I have a code for a ticket', '/t/', true]]);
  }
  say(tickets.length ? 'Your orders and tickets' : 'Your orders', 'These are in this browser. Choose one.');
  $('tickets').replaceChildren(...known.map((one) => entry(...one)));
}

async function start() {
  if (query.get('order')) return new OrderPage(query.get('order')).follow();
  if (query.get('ticket')) return follow(query.get('ticket'));
  eventOf(document.body.dataset.event);
  return choose();
}

start().catch((e) => {
  const foreign = [401, 403, 404].includes(e.status);
  const what = query.get('ticket') ? 'ticket' : 'order';
  say(foreign ? `We cannot show this ${what} here` : 'That did not work', foreign ? `${query.get('ticket') ? 'Tickets that were given away open only in the browser in which they were taken.' : 'Orders open only in the browser in which they were made.'}` : explain(e));
  buttons(foreign ? [['To the event', '/']] : [['Try again', () => location.reload()]]);
});
