// What the page shows. It reads nothing from the server; page.js tells it everything.
import * as line from './line.js';
import * as alerts from './alerts.js';
import {ordinal} from './proof.js';

export const $ = (id) => document.getElementById(id);
export const room = JSON.parse($('wr-room').textContent);
const lang = document.documentElement.lang;
export const {default: t} = await import(`./text.${lang}.js`);
const format = new Intl.NumberFormat(lang, {numberingSystem: 'latn'});
export const number = (n) => format.format(n);
const startKey = `wr_${room.room}_start`;

const lobbyClose = 5; // seconds before the opening, as the room has it
let opening = 0;  // the countdown's timer
let start = 0;    // how many were ahead at first
let proven = null;
let spoken = 0;
let waiting = 0;

try { start = Number(localStorage.getItem(startKey)) || 0; } catch { /* then it starts here */ }

/** Has a screen reader say something, once a minute at most: the last of what came meanwhile. */
export function speak(text) {
  clearTimeout(waiting);
  const say = () => {
    spoken = Date.now();
    if ($('status').textContent !== text) $('status').textContent = text;
  };
  const rest = spoken + 60_000 - Date.now();
  if (rest > 0) waiting = setTimeout(say, rest);
  else say();
}

/** Says what is wrong with the connection; with nothing, that all is well. */
export function trouble(text) {
  $('trouble').hidden = !text;
  if (text) $('trouble').textContent = text;
  $('live').hidden = false;
  $('live').classList.toggle('off', Boolean(text));
  $('live-text').textContent = text ? t.live_off : t.live_on;
}

const write = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

const counts = ['queued', 'next', 'paused', 'soldout'];  // somebody with a number in the line
const before = ['announced', 'lobby', 'drawing'];
const gone = ['left', 'ended', 'admitted', 'elsewhere', 'moved']; // nobody needs to be called any more

/** Shows a state: place, doc, clock, drawn, ahead, wait, asks, as page.js has them. */
export function show(state, now) {
  const changed = document.body.dataset.state !== state;
  const {place, doc} = now;
  document.body.dataset.state = state;
  const counted = counts.includes(state);
  write('heading', t[`h_${state}`]);
  write('lead', state === 'eligible' && now.asks ? t.p_ask : t[`p_${state}`]);
  $('cells').hidden = !counted && !before.includes(state);
  $('lobby-line').hidden = true;
  $('track').hidden = !counted;
  $('enter').hidden = state !== 'eligible';
  $('rejoin').hidden = state !== 'left' && state !== 'elsewhere';
  write('rejoin', state === 'elsewhere' ? t.join_anew : t.join);
  $('ask').hidden = gone.includes(state);
  write('ask', state === 'eligible' ? t.more_time : t.ask);
  $('ask').setAttribute('aria-pressed', now.asks);
  $('sound').hidden = gone.includes(state);
  $('notify').hidden = gone.includes(state) || !alerts.canNotify();
  $('leave').hidden = gone.includes(state) || !place;
  $('hand').hidden = state === 'ended' || state === 'admitted';
  $('other').hidden = gone.includes(state) || !place;
  $('reference').hidden = !place;
  if (place) write('code', (place.tid || '').slice(0, 8).toUpperCase().replace(/(.{4})/, '$1-'));
  showStock(counted, now);
  showDraw(counted || state === 'eligible' || state === 'ended', now);
  $('ticket').hidden = $('cells').hidden && $('draw').hidden;
  if (counted) showLine(now);
  else if (before.includes(state)) showOpening(state, now);
  if (state !== 'eligible') {
    alerts.calm();
    document.title = counted ? `${number(line.roughly(now.ahead))} · ${room.title}` : `${t[`h_${state}`]} · ${room.title}`;
  }
  if (counted) speak(`${state === 'queued' ? '' : `${t[`h_${state}`]}. `}${lineText(now)}`);
  else if (changed && state !== 'eligible') speak(`${t[`h_${state}`]}. ${doc && place?.in_draw ? t.in_draw_long : t[`p_${state}`]}`);
}

const lineText = ({ahead, wait}) => t.announce.replace('{ahead}', number(line.roughly(ahead))).replace('{wait}', line.waitText(t, number, wait));

function showLine(now) {
  $('ahead').classList.remove('words');
  $('wait').classList.remove('yes');
  write('ahead-label', t.ahead);
  write('ahead', number(line.roughly(now.ahead)));
  $('wait-cell').hidden = false;
  write('wait-label', t.wait);
  write('wait', line.waitText(t, number, now.wait));
  start = Math.max(start, now.ahead);
  try { localStorage.setItem(startKey, start); } catch { /* then it starts anew after a reload */ }
  const done = start ? Math.round(100 * (1 - now.ahead / start)) : 100;
  $('track').setAttribute('aria-valuenow', done);
  $('track').setAttribute('aria-valuetext', lineText(now));
  $('fill').style.inlineSize = `${done}%`;
}

/** Forgets where the visitor began: there is another place now, or none. */
show.forget = () => {
  start = 0;
  proven = null;
  try { localStorage.removeItem(startKey); } catch { /* nothing was kept */ }
};

function showStock(counted, {doc, ahead}) {
  const stock = doc?.stock?.left;
  const known = counted && Number.isFinite(stock);
  $('stock-line').hidden = !known;
  $('honest').hidden = !known || ahead <= stock;
  if (known) write('stock', number(line.roughly(stock)));
}

/** Lists what is left, by price category where there are several, and section by section. */
show.sections = ({sections = [], categories = []}) => {
  const items = (list) => list.map(({name, left}) => {
    const item = document.createElement('li');
    const count = document.createElement('strong');
    count.textContent = number(line.roughly(left));
    item.append(name, ' ', count);
    return item;
  });
  $('by-category').hidden = categories.length < 2;
  $('categories').replaceChildren(...items(categories));
  $('sections').replaceChildren(...items(sections));
};

/** Shows the number in the draw, exact by the receipt; nothing for a place that was not drawn. */
function showDraw(wanted, {place, doc, drawn}) {
  const count = doc?.draw?.sealed?.count;
  const lot = wanted && place?.class === 1 && Boolean(count);
  $('draw').hidden = !lot;
  $('proof').hidden = !lot || !proven;
  if (!lot) return;
  write('drawn', drawn ? ordinal(t, number, lang, drawn.ordinal, drawn.n) : t.drawn_rank.replace('{rank}', '…').replace('{n}', number(count)));
  $('verify').hidden = Boolean(proven);
  if (proven) {
    write('proof-text', proven.text);
    $('proof').classList.toggle('bad', !proven.ok);
  }
}

/** Keeps the outcome of a check, and has it said. */
show.proof = (outcome) => {
  proven = outcome;
  spoken = 0; // it was asked for
  speak(outcome.text);
};

function showOpening(state, now) {
  const {doc, place, clock} = now;
  const at = Date.parse(state === 'announced' ? doc.lobby_at : doc.opens_at);
  $('ahead').classList.remove('words');
  $('wait').classList.toggle('yes', Boolean(place?.in_draw));
  write('ahead-label', state === 'announced' ? t.lobby_in : t.opens_in);
  $('wait-cell').hidden = state === 'announced';
  write('wait-label', t.draw);
  write('wait', place?.in_draw ? t.in_draw : place?.rank ? t.after_draw : t.in_draw_wait);
  $('lobby-line').hidden = !doc.lobby;
  write('lobby-count', number(line.roughly(doc.lobby)));
  clearInterval(opening);
  $('cells').hidden = !at;
  const tick = () => {
    if (document.body.dataset.state !== state) return clearInterval(opening);
    const s = Math.max(0, Math.round((at - clock - Date.now()) / 1000));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    if (state === 'lobby' && s <= lobbyClose) return show('drawing', now); // nobody needs to ask for that
    const two = (n) => String(n).padStart(2, '0');
    write('ahead', (d ? `${d} · ` : '') + (d || h ? `${two(h)}:` : '') + `${two(m)}:${two(s % 60)}`);
  };
  if (!at) return;
  tick();
  opening = setInterval(tick, 1000);
}
