// The landing page: what is on, how much is left, how long the line is. All of it is extra; the button works without.
import {get} from './api.js';
import {day, moment, money, priceOf} from './words.js';

const {event, room} = document.body.dataset;
const $ = (id) => document.getElementById(id);
const number = (n) => new Intl.NumberFormat().format(n);
const states = {draft: 'Soon', on_sale: 'Now', paused: 'Paused for a moment', closed: 'Ended'};

async function showEvent() {
  const {body} = await get(`/v1/events/${event}`);
  if (body.name) {
    document.querySelectorAll('[data-event-name]').forEach((e) => { e.textContent = body.name; });
    document.title = `${body.name} · Tickets`;
  }
  if (body.venue) $('venue').textContent = body.venue;
  $('when').textContent = day(body.starts_at);
  $('state').textContent = body.state === 'draft' && body.opens_at ? moment(body.opens_at) : states[body.state] ?? '–';
  const prices = (body.prices ?? body.tiers ?? []).map(priceOf).filter(Boolean);
  if (prices.length) $('from').textContent = `from ${money(Math.min(...prices), body.currency)}`;
}

async function showLeft() {
  const {body} = await get(`/v1/events/${event}/availability`);
  const free = body.totals?.free ?? (body.segments ?? []).reduce((n, s) => n + s.free, 0);
  $('left').textContent = free ? number(free) : 'Sold out';
}

async function showLine() {
  if (!room) return;
  const answer = await fetch(`/.wr/v1/${room}/frontier`);
  if (!answer.ok) return;
  const doc = await answer.json();
  $('line-fact').hidden = false;
  $('line').textContent = number(doc.waiting ?? 0);
}

const refresh = () => Promise.allSettled([showLeft(), showLine()]);
showEvent().catch(() => {});
refresh();
setInterval(() => { if (!document.hidden) refresh(); }, 15_000);
