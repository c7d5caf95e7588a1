// After the payment: follows the order until its tickets are there, and says in each state what can be done.
import {call, newKey, Problem} from './api.js';
import {cancel, knownOrders, orderOf, pay} from './checkout.js';
import {holderForm} from './holder.js';
import {day, explain, money} from './words.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const order = query.get('order');
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });
let wake = () => {};
/** Sleeps until the time is over or something was done about the order. */
const nap = (ms) => new Promise((done) => { wake = done; setTimeout(done, ms); });
const timeIn = (seconds) => new Date(Date.now() + 1000 * seconds).toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit'});
let event = {};
let bankAsked = '';

const states = {
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

function say(heading, lead, step) {
  if ($('heading').textContent !== heading) $('heading').textContent = heading;
  if ($('lead').textContent !== lead) $('lead').textContent = lead;
  [...$('steps').children].forEach((s, i) => {
    s.classList.toggle('done', i < step);
    s.classList.toggle('now', i === step && step > 0 && step < 3);
  });
}

function buttons(list) {
  $('buttons').replaceChildren(...list.map(([label, action, quiet]) => {
    const e = document.createElement(typeof action === 'string' ? 'a' : 'button');
    e.className = `button ${quiet ? 'quiet' : 'primary'}`;
    e.textContent = label;
    if (typeof action === 'string') e.href = action;
    else e.addEventListener('click', async () => {
      e.disabled = true;
      try { await action(); } catch (problem) { $('lead').textContent = explain(problem); }
      e.disabled = false;
    });
    return e;
  }));
}

/** Something of the order's as an address. Fetched rather than linked, so that the order's token goes along where cookies are blocked. */
async function fetched(path) {
  const headers = {};
  try {
    const token = sessionStorage.getItem(`token_${order}`);
    if (token) headers['X-Order-Token'] = token;
  } catch { /* cookies alone */ }
  const answer = await fetch(path, {headers, credentials: 'same-origin'});
  if (!answer.ok) throw new Problem(answer.status);
  return URL.createObjectURL(await answer.blob());
}

const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC');

async function download(path, name) {
  const href = await fetched(`${path}?tz=${zone}`);
  Object.assign(document.createElement('a'), {href, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

async function ticketElement(ticket, names) {
  const li = Object.assign(document.createElement('li'), {className: 'ticket'});
  const text = Object.assign(document.createElement('div'), {className: 'text'});
  const add = (className, content, tag = 'span') => text.append(Object.assign(document.createElement(tag), {className, textContent: content}));
  const words = (ticket.label ?? ticket.seat ?? '').split('-');
  const seated = words.length > 2;
  add('event', event.name ?? document.querySelector('[data-event-name]').textContent);
  add('when', [day(event.starts_at), event.venue].filter(Boolean).join(' · '));
  add('seat', seated ? `Row ${words.slice(1, -1).join('-')}, seat ${words.at(-1)}` : ticket.section || ticket.area || ticket.seat || 'Standing', 'p');
  add('kind', [seated && `Section ${ticket.section ?? words[0]}`, ticket.type].filter(Boolean).join(' · '));
  if (ticket.holder) add('holder-name', ticket.holder);
  add('', (ticket.id ?? '').slice(-12), 'code');
  const form = holderForm(order, ticket, names, showTickets);
  if (form) text.append(form);
  const qr = Object.assign(document.createElement('div'), {className: 'qr'});
  li.append(text, qr);
  if (ticket.state !== 'valid' || ticket.needs_name) {
    qr.append(ticket.needs_name ? 'The code appears when the ticket has a name.' : `This ticket is void (${(ticket.void_reason ?? '').replace('_', ' ')}).`);
    return li;
  }
  try {
    const img = Object.assign(new Image(), {alt: `Code of the ticket for ${ticket.label ?? ticket.seat ?? ticket.section}`, width: 152, height: 152});
    img.src = await fetched(ticket.svg);
    qr.append(img);
  } catch {
    qr.append('The code could not be loaded. Reload the page.');
  }
  return li;
}

async function showTickets() {
  for (let tries = 0; tries < 60; tries += 1) {
    const {status, body} = await call('GET', `/v1/orders/${order}/tickets`);
    if (status === 200 && body.tickets?.length) {
      $('tickets').replaceChildren(...await Promise.all(body.tickets.map((t) => ticketElement(t, body.rules?.names ?? 'none'))));
      return;
    }
    await sleep(1000);
  }
  throw new Problem(504, {title: 'The tickets are printed, but did not come. Reload the page.'});
}

/** What the order is about, in every state. */
function showReceipt(current) {
  const lines = current.lines ?? [];
  const seats = lines.map((l) => l.seat).filter(Boolean);
  const places = seats.length ? ['Seats', seats.join(', ')] : ['Tickets', String(lines.reduce((n, l) => n + (l.quantity ?? 1), 0))];
  const paid = ['paid', 'issued'].includes(current.state);
  const rows = [places, [paid ? 'Total paid' : 'Total', money(current.total ?? 0, current.currency)], ['Order', order.slice(-12)]];
  $('receipt').replaceChildren(...rows.flatMap(([a, b]) => [Object.assign(document.createElement('dt'), {textContent: a}), Object.assign(document.createElement('dd'), {textContent: b})]));
  $('receipt').hidden = false;
}

/** Makes the link that opens this order elsewhere, and copies it. */
async function linkElsewhere() {
  const {body} = await call('POST', `/v1/orders/${order}/links`, {body: {}, key: newKey()});
  const url = new URL(body.url, location.href).href;
  try {
    await navigator.clipboard.writeText(url);
    $('lead').textContent = 'The link is copied. Whoever has it can open this order for a week.';
  } catch { $('lead').textContent = `Open this on the other device, within a week: ${url}`; } // no clipboard without https
}

const payAgain = async () => { location.assign((await pay(order)).pay_url || location.href); };

/** The last attempt failed, or none was made yet: the seats are still held. */
function showPending(current) {
  const declined = current.payments?.some((p) => p.attempt === current.attempt && p.state === 'failed');
  const until = current.hold_until_in_s > 0 ? ` until ${timeIn(current.hold_until_in_s)}` : '';
  if (declined) say('The bank declined the payment', `Nothing was charged, and your seats are still held${until}. Try again, or let them go.`, 0);
  else say('Not paid yet', `Your seats are still held${until}. You can pay now, or let them go.`, 0);
  buttons([
    [declined ? 'Try again' : 'Pay now', payAgain],
    ['Let the seats go', async () => { await cancel(order); wake(); }, true],
  ]);
}

/** Says more when the bank takes its time, and leads people back who left its page before they paid. */
function showPaying(current) {
  const open = current.payments?.find((p) => p.attempt === current.attempt && p.state === 'created' && p.pay_url);
  if (current.paying_until_in_s > 0) bankAsked ||= timeIn(current.paying_until_in_s); // once, so that the text does not change with every answer
  say('Waiting for the bank', `The bank has not told us yet that you paid. If you have not, go on there. If you have, there is nothing to do: your seats are fixed for you${bankAsked && `, and at ${bankAsked} we ask the bank ourselves`}. You may close this page and come back.`, 1);
  if (open && !$('buttons').children.length) buttons([['Go on at the bank', open.pay_url]]);
}

async function follow() {
  for (let round = 0; ; round += 1) {
    const current = await orderOf(order);
    const [heading, lead, step] = states[current.state] ?? states.paying;
    showReceipt(current);
    if (current.state === 'pending_payment') {
      showPending(current);
      await nap(Math.max(current.hold_until_in_s ?? 0, 1) * 1000 + 1500);
      continue;
    }
    if (current.state === 'paying' && performance.now() > patience) showPaying(current);
    else {
      say(heading, lead, step);
      buttons([]);
    }
    switch (current.state) {
      case 'issued':
        await showTickets();
        return buttons([
          ['Print', async () => print()],
          ['Save as PDF', () => download(`/v1/orders/${order}/tickets.pdf`, 'tickets.pdf'), true],
          ['Receipt as PDF', () => download(`/v1/orders/${order}/receipt.pdf`, 'receipt.pdf'), true],
          ['Open on another device', linkElsewhere, true],
          ['Back to the event', '/', true],
        ]);
      case 'paying': case 'paid': case 'stuck': case 'refunding':
        await sleep(Math.min(600 + round * 200, 5000) * (0.75 + Math.random() * 0.5));
        break;
      default:
        return buttons([['Look for other seats', '/buy/']]);
    }
  }
}

async function start() {
  if (!order) {
    showEvent();
    return choose();
  }
  await Promise.race([showEvent(), sleep(3000)]); // the tickets name the event and its day, and do not wait for them for ever
  await follow();
}

const showEvent = () => call('GET', `/v1/events/${document.body.dataset.event}`).then(({body}) => {
  event = body;
  if (body.name) document.querySelectorAll('[data-event-name]').forEach((e) => { e.textContent = body.name; });
}).catch(() => {});

/** Without an order in the address: the one that was made in this browser, or all of them to choose from. */
async function choose() {
  const known = (await Promise.all(knownOrders().map((id) => orderOf(id).catch(() => null)))).filter(Boolean);
  if (known.length === 1) return location.replace(`/tickets?order=${known[0].id}`);
  if (!known.length) {
    say('No order in this browser', 'Orders open in the browser in which they were made. Open this page there, or by the link of your order.', 0);
    return buttons([['To the event', '/']]);
  }
  say('Your orders', 'These were made in this browser. Choose one.', 0);
  $('tickets').replaceChildren(...known.map((o) => {
    const li = Object.assign(document.createElement('li'), {className: 'known'});
    const n = o.lines?.length ?? 0;
    li.append(Object.assign(document.createElement('a'), {href: `/tickets?order=${o.id}`, textContent: `${n} ticket${n === 1 ? '' : 's'}, ${money(o.total ?? 0, o.currency)}`}),
      Object.assign(document.createElement('span'), {textContent: states[o.state]?.[0] ?? ''}));
    return li;
  }));
}

start().catch((e) => {
  const foreign = [401, 403, 404].includes(e.status);
  say(foreign ? 'We cannot show this order here' : 'That did not work', foreign ? 'Orders open only in the browser in which they were made.' : explain(e), 0);
  buttons(foreign ? [['To the event', '/']] : [['Try again', () => location.reload()]]);
});
