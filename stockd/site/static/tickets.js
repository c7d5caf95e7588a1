// After the payment: follows the order until its tickets are there, and says in each state what can be done.
import {call, Problem} from './api.js';
import {cancel, orderOf, pay} from './checkout.js';
import {explain, money} from './words.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const order = query.get('order');
const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

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
      try { await action(); } catch (problem) { $('lead').textContent = explain(problem); e.disabled = false; }
    });
    return e;
  }));
}

async function picture(ticket) {
  // Fetched rather than linked, so that the order's token goes along where cookies are blocked.
  const headers = {};
  try {
    const token = sessionStorage.getItem(`token_${order}`);
    if (token) headers['X-Order-Token'] = token;
  } catch { /* cookies alone */ }
  const answer = await fetch(ticket.svg ?? `/v1/tickets/${ticket.id}.svg`, {headers, credentials: 'same-origin'});
  if (!answer.ok) throw new Problem(answer.status);
  return URL.createObjectURL(await answer.blob());
}

async function ticketElement(ticket, name) {
  const li = Object.assign(document.createElement('li'), {className: 'ticket'});
  const text = Object.assign(document.createElement('div'), {className: 'text'});
  const add = (className, content, tag = 'span') => text.append(Object.assign(document.createElement(tag), {className, textContent: content}));
  const words = (ticket.label ?? ticket.seat ?? '').split('-');
  const seated = words.length > 2;
  add('event', name);
  add('seat', seated ? `Row ${words.slice(1, -1).join('-')}, seat ${words.at(-1)}` : ticket.section || ticket.area || ticket.seat || 'Standing', 'p');
  add('kind', [seated && `Section ${ticket.section ?? words[0]}`, ticket.type].filter(Boolean).join(' · '));
  add('', (ticket.id ?? '').slice(-12), 'code');
  const qr = Object.assign(document.createElement('div'), {className: 'qr'});
  li.append(text, qr);
  try {
    const img = Object.assign(new Image(), {alt: `Code of the ticket for ${ticket.label ?? ticket.seat ?? ticket.section}`, width: 152, height: 152});
    img.src = await picture(ticket);
    qr.append(img);
  } catch {
    qr.append('The code could not be loaded. Reload the page.');
  }
  return li;
}

async function showTickets(current) {
  for (let tries = 0; tries < 60; tries += 1) {
    const {status, body} = await call('GET', `/v1/orders/${order}/tickets`);
    if (status === 200 && body.tickets?.length) {
      const name = document.querySelector('[data-event-name]').textContent;
      $('tickets').replaceChildren(...await Promise.all(body.tickets.map((t) => ticketElement(t, name))));
      const rows = [['Order', order.slice(-12)], ['Tickets', String(body.tickets.length)], ['Total paid', money(current.total ?? 0, current.currency)]];
      $('receipt').replaceChildren(...rows.flatMap(([a, b]) => [Object.assign(document.createElement('dt'), {textContent: a}), Object.assign(document.createElement('dd'), {textContent: b})]));
      $('receipt').hidden = false;
      return;
    }
    await sleep(1000);
  }
}

async function follow() {
  for (let round = 0; ; round += 1) {
    const current = await orderOf(order);
    const [heading, lead, step] = states[current.state] ?? states.paying;
    say(heading, lead, step);
    switch (current.state) {
      case 'pending_payment':
        return buttons([
          ['Pay now', async () => { location.assign((await pay(order)).pay_url); }],
          ['Let the seats go', async () => { await cancel(order); buttons([]); await follow(); }, true],
        ]);
      case 'issued':
        await showTickets(current);
        return buttons([['Print', async () => { print(); $('buttons').querySelectorAll('button').forEach((b) => { b.disabled = false; }); }], ['Back to the event', '/', true]]);
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
    say('Which order?', 'Open this page by the link of your order, in the browser in which you bought.', 0);
    return buttons([['To the event', '/']]);
  }
  call('GET', `/v1/events/${document.body.dataset.event}`).then(({body}) => {
    if (body.name) document.querySelectorAll('[data-event-name]').forEach((e) => { e.textContent = body.name; });
  }).catch(() => {});
  await follow();
}

start().catch((e) => {
  const foreign = [401, 403, 404].includes(e.status);
  say(foreign ? 'We cannot show this order here' : 'That did not work', foreign ? 'Orders open only in the browser in which they were made.' : explain(e), 0);
  buttons(foreign ? [['To the event', '/']] : [['Try again', () => location.reload()]]);
});
