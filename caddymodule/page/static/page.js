// The waiting-room page: joins, follows the frontier document, claims when it is this visitor's turn, and goes where they wanted to go.
// Nothing here decides anything: the room's owner does, when it is asked for the claim.
import * as line from './line.js';
import * as alerts from './alerts.js';

const $ = (id) => document.getElementById(id);
const room = JSON.parse($('wr-room').textContent);
const t = JSON.parse($('wr-text').textContent);
const format = new Intl.NumberFormat(document.documentElement.lang, {numberingSystem: 'latn'});
const number = (n) => format.format(n);
const nonceKey = `wr_${room.room}_nonce`;
const startKey = `wr_${room.room}_start`;

let place = null;      // the answer to join, with rank as BigInt
let doc = null;        // the frontier document
let pace = new line.Pace();
let edition = null;
let clock = 0;         // server's time minus ours, in ms
let errors = 0;
let timer = 0;
let asked = 0;         // when the last turn began
let busy = false;
let left = false;
let called = false;
let spoken = 0;
let opening = 0;

class Problem extends Error {
  constructor(status, body, retryMs) {
    super(body?.title || `status ${status}`);
    Object.assign(this, {status, body, retryMs});
  }
}

async function ask(method, path, body) {
  const stop = AbortSignal.timeout ? AbortSignal.timeout(20_000) : undefined;
  const answer = await fetch(`${room.base}/${path}`, {
    method, signal: stop, credentials: 'same-origin', cache: method === 'GET' ? 'no-cache' : 'no-store',
    headers: {Accept: 'application/json', ...(body && {'Content-Type': 'application/json'})}, body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  let data = {};
  try { data = text ? JSON.parse(text) : {}; } catch { /* a proxy's own error page */ }
  if (!answer.ok) throw new Problem(answer.status, data, 1000 * Number(answer.headers.get('Retry-After')) || data.next_poll_ms || 0);
  return {status: answer.status, ...data};
}

function store(area, key, value) {
  try {
    if (value === null) area().removeItem(key);
    else if (value !== undefined) area().setItem(key, value);
    return area().getItem(key);
  } catch { return null; } // storage may be forbidden: the place then hangs on its cookie alone
}
const local = (key, value) => store(() => localStorage, key, value);
const session = (key, value) => store(() => sessionStorage, key, value);

function nonce() {
  const old = local(nonceKey);
  if (old) return old;
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  const fresh = btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
  return local(nonceKey, fresh) ?? undefined;
}

async function join() {
  const key = nonce();
  const answer = await ask('POST', 'join', key ? {nonce: key} : {});
  if (place && place.tid !== answer.tid) local(startKey, null);
  place = {...answer, rank: BigInt(answer.rank || 0)};
}

/** One round: look, decide, show. Gives the milliseconds until the next. */
async function round() {
  // The place first, since it is stamped by its time; a room that gives none any more says so in its document.
  const refused = place ? null : await join().catch((e) => e);
  doc = await ask('GET', 'frontier');
  if (doc.passthrough) return enter(room.return); // ops hold nobody back
  if (doc.state === 'ended') return show('ended', 60_000);
  if (refused) throw refused;
  clock = doc.now ? Date.parse(doc.now) - Date.now() : 0;
  if (edition !== null && doc.edition !== edition) {
    // A new edition voids every place: everybody starts again, each at their own moment.
    edition = doc.edition;
    place = null;
    pace = new line.Pace();
    return Math.random() * 5000;
  }
  edition = doc.edition;
  if (doc.state === 'open' && place.state === 'lobby') await join();
  if (doc.state === 'lobby' || place.state === 'lobby') return lobby();
  pace.add(doc, place);
  const turn = place.state === 'admitted' || place.state === 'eligible' || place.rank <= line.frontierOf(doc, place);
  if (doc.state === 'paused' && place.state !== 'admitted') return show('paused', every());
  if (turn) return myTurn();
  called = false;
  return show('queued', every());
}

const ahead = () => Math.max(0, line.position(doc, place) - 1);

function wait() {
  const speed = pace.speed(doc, place);
  if (doc.state === 'paused') return null;
  if (speed > 0) return ahead() / speed;
  return line.isFull(doc) ? null : place.wait_s || null;
}

const every = () => line.pollEvery(doc.poll, wait());

function lobby() {
  const opens = doc.opens_at ? Date.parse(doc.opens_at) - clock - Date.now() : null;
  show('lobby');
  if (opens === null) return every();
  // The first round after the opening is spread over ten seconds by the visitor's id, the rounds before it by the usual jitter.
  const first = Math.max(opens, 0) + 500 + line.spread(place.tid) * 10_000;
  const usual = line.pollEvery(doc.poll, Math.max(opens, 0) / 1000);
  return first < usual * 1.5 ? -first : usual;
}

async function myTurn() {
  show(place.state === 'admitted' ? 'admitted' : 'eligible');
  if (!called) {
    called = true;
    alerts.call(t, room.title, $('notify'));
    $('alert').textContent = document.hidden ? t.turn_note : t.turn_alert;
  }
  // Somebody who looks elsewhere loses nothing by it: the pass starts to run when they come back.
  return document.hidden ? 10_000 : claim();
}

async function claim() {
  let answer;
  try {
    answer = await ask('POST', 'claim', {});
  } catch (e) {
    if (e.status !== 401) throw e;
    place = null;
    return 500;
  }
  if (answer.state === 'admitted') return enter(answer.return);
  place.state = answer.state || 'queued';
  $('lead').textContent = t.p_next;
  return -(answer.next_poll_ms || 2000) * (0.9 + Math.random() * 0.2);
}

function enter(where) {
  // Coming back here again and again right after a pass means that the browser does not keep cookies.
  const before = (session('wr_entered') || '').split(',').filter((at) => Date.now() - at < 60_000);
  if (before.length >= 3) {
    trouble(t.cookies);
    $('enter').hidden = false;
    session('wr_entered', null);
    return Infinity;
  }
  session('wr_entered', [...before, Date.now()].join());
  show('admitted');
  local(startKey, null);
  alerts.calm();
  const to = (room.return && room.return !== '/' ? room.return : where || '/').split('#')[0];
  setTimeout(() => location.replace(to), 700);
  return Infinity;
}

async function leave() {
  clearTimeout(timer);
  try {
    await ask('POST', 'leave', {});
  } catch (e) {
    if (e.status !== 401) { trouble(t.busy); return schedule(5000); }
  }
  left = true;
  place = null;
  local(nonceKey, null);
  local(startKey, null);
  show('left');
}

/* ---- showing ---- */

function show(state, next) {
  document.body.dataset.state = state;
  if ($('heading').textContent !== t[`h_${state}`]) $('heading').textContent = t[`h_${state}`];
  const isNext = state === 'queued' && ahead() === 0 && line.isFull(doc);
  if ($('lead').textContent !== t.p_next || state !== 'eligible') $('lead').textContent = isNext ? t.p_next : t[`p_${state}`];
  const counted = state === 'queued' || state === 'paused';
  $('ticket').hidden = !counted && state !== 'lobby';
  $('wait-cell').hidden = !counted;
  $('track').hidden = !counted;
  $('enter').hidden = state !== 'eligible';
  $('rejoin').hidden = state !== 'left';
  const over = ['left', 'ended', 'admitted'].includes(state); // nobody needs to be called any more
  $('sound').hidden = over;
  $('notify').hidden = over || !alerts.canNotify();
  $('leave').hidden = over;
  $('reference').hidden = !place;
  if (place) $('code').textContent = (place.tid || '').slice(0, 8).toUpperCase().replace(/(.{4})/, '$1-');
  showStock(counted);
  if (counted) showLine();
  else if (state === 'lobby') showOpening();
  if (state !== 'eligible') {
    alerts.calm();
    document.title = counted ? `${number(line.roughly(ahead()))} · ${room.title}` : `${t[`h_${state}`]} · ${room.title}`;
  }
  return next;
}

function showLine() {
  const n = ahead();
  const words = line.waitText(t, number, wait());
  $('ahead-label').textContent = t.ahead;
  $('ahead').textContent = number(line.roughly(n));
  $('wait').textContent = words;
  const start = Math.max(Number(local(startKey)) || 0, n);
  local(startKey, String(start));
  const done = start ? Math.round(100 * (1 - n / start)) : 100;
  $('track').setAttribute('aria-valuenow', done);
  $('fill').style.inlineSize = `${done}%`;
  if (Date.now() - spoken >= 60_000) {
    spoken = Date.now();
    $('status').textContent = t.announce.replace('{ahead}', number(line.roughly(n))).replace('{wait}', words);
  }
}

function showStock(counted) {
  const stock = doc?.stock?.left;
  const known = counted && Number.isFinite(stock);
  $('stock-line').hidden = !known;
  $('honest').hidden = !known || ahead() <= stock;
  if (known) $('stock').textContent = number(line.roughly(stock));
}

function showOpening() {
  $('ahead-label').textContent = t.opens_in;
  clearInterval(opening);
  const at = doc.opens_at ? Date.parse(doc.opens_at) : null;
  $('ticket').hidden = at === null;
  const draw = () => {
    if (document.body.dataset.state !== 'lobby') return clearInterval(opening);
    const s = Math.max(0, Math.round((at - clock - Date.now()) / 1000));
    const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60];
    const two = (n) => String(n).padStart(2, '0');
    $('ahead').textContent = (d ? `${d} · ` : '') + (d || h ? `${two(h)}:` : '') + `${two(m)}:${two(s % 60)}`;
  };
  if (at === null) return;
  draw();
  opening = setInterval(draw, 1000);
}

function trouble(text) {
  $('trouble').hidden = !text;
  if (text) $('trouble').textContent = text;
  $('live').hidden = false;
  $('live').classList.toggle('off', Boolean(text));
  $('live-text').textContent = text ? t.live_off : t.live_on;
}

/* ---- rounds ---- */

function schedule(ms) {
  clearTimeout(timer);
  if (ms === Infinity) return;
  const exact = ms < 0; // a time that the server named, or the opening
  const next = exact ? -ms : line.jitter(ms) * (document.hidden ? 3 : 1);
  timer = setTimeout(run, next);
}

async function run() {
  if (left || busy) return;
  busy = true;
  asked = Date.now();
  let next;
  try {
    next = await round();
    errors = 0;
    if (next !== Infinity) trouble('');
  } catch (e) {
    errors += 1;
    if (e.status === 401) place = null;
    // A single failure is no news: people are told from the second on, or when the server said that it is busy.
    if (errors > 1 || e.status) trouble(e.status === 403 ? e.body?.detail || e.message : e.status ? t.busy : t.offline);
    next = Math.max(e.retryMs || 0, Math.min(120_000, 2000 * 2 ** Math.min(errors - 1, 6)));
  } finally {
    busy = false;
  }
  schedule(next);
}

/** Looks again soon when somebody returns, never sooner than three seconds after the last time. */
function hurry() {
  if (left || document.hidden) return;
  schedule(-Math.max(0, asked + 3000 - Date.now()));
}

$('actions').hidden = false;
$('leave').hidden = false;
alerts.setUp($('sound'), $('notify'));
document.addEventListener('visibilitychange', hurry);
addEventListener('online', hurry);
addEventListener('pageshow', (e) => { if (e.persisted) hurry(); });
$('enter').addEventListener('click', () => { called = true; schedule(-1); });
$('rejoin').addEventListener('click', () => { left = false; schedule(-1); });
$('leave').addEventListener('click', () => $('leave-dialog').showModal());
$('leave-dialog').addEventListener('close', (e) => { if (e.target.returnValue === 'yes') leave(); e.target.returnValue = ''; });
$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('code').textContent);
    $('copy').textContent = t.copied;
    setTimeout(() => { $('copy').textContent = t.copy; }, 2000);
  } catch { getSelection().selectAllChildren($('code')); }
});
schedule(room.first_poll_ms > 0 ? -Math.min(room.first_poll_ms, 3000) : -1);
