// The waiting-room page: joins, follows the frontier document, claims when it is this visitor's turn, and goes where they wanted to go.
// Nothing here decides anything: the room's owner does, when it is asked for the claim.
import * as line from './line.js';
import * as alerts from './alerts.js';
import * as proof from './proof.js';
import {deviceKey} from './key.js';
import {$, number, room, show as draw, speak, t, trouble} from './view.js';

const nonceKey = `wr_${room.room}_nonce`;
const seenKey = `wr_${room.room}_seen`;
const askKey = `wr_${room.room}_ask`;
const movedKey = `wr_${room.room}_moved`;

let key;               // this browser's, null where there is none
let place = null;      // the answer to join, with rank as BigInt
let doc = null;        // the frontier document
let pace = new line.Pace();
let edition = null;
let clock = 0;         // server's time minus ours, in ms
let errors = 0;
let timer = 0;
let asked = 0;         // when the last turn began
let busy = false;
let over = false;      // left, or the place is another's: nothing is asked any more
let called = false;
let challenge = '';
let pressed = false;   // "enter" was pressed
let full = false;      // a claim was told that nobody has left yet
let drawn = null;      // the receipt, as {found}; found is null where there is none
let receiptAt = 0;     // when to ask for it

class Problem extends Error {
  constructor(status, body, retryMs) {
    super(body?.title || `status ${status}`);
    Object.assign(this, {status, body, retryMs, kind: (body?.type || '').split('/').at(-1)});
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

function store(area, name, value) {
  try {
    if (value === null) area().removeItem(name);
    else if (value !== undefined) area().setItem(name, value);
    return area().getItem(name);
  } catch { return null; } // storage may be forbidden: the place then hangs on its cookie alone
}
const local = (name, value) => store(() => localStorage, name, value);
const session = (name, value) => store(() => sessionStorage, name, value);

function nonce() {
  const old = local(nonceKey);
  if (old) return old;
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  const fresh = btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_');
  return local(nonceKey, fresh) ?? undefined;
}

async function join(more, path = 'join') {
  if (key === undefined) key = await deviceKey();
  const answer = await ask('POST', path, {...(key ? {key: key.text} : {nonce: nonce()}), ...more});
  if (place && place.tid !== answer.tid) draw.forget();
  // What the owner has stored stays stored, whatever another edge knows of it.
  const sure = place?.tid === answer.tid && place.in_draw;
  place = {...answer, rank: BigInt(answer.rank || 0), in_draw: answer.in_draw || sure};
}

/** One round: look, decide, show. Gives the milliseconds until the next. */
async function round() {
  // The place first, since it is stamped by its time; a room that gives none any more says so in its document.
  const refused = place ? null : await join().catch((e) => e);
  if (refused?.kind === 'place-of-another-browser') return elsewhere();
  doc = await ask('GET', 'frontier');
  clock = doc.now ? Date.parse(doc.now) - Date.now() : 0;
  if (doc.passthrough) return enter();
  if (doc.state === 'ended') return show('ended', 60_000);
  if (doc.state === 'announced') return opening('announced', doc.lobby_at);
  if (refused) throw refused;
  if (local(movedKey) === `${doc.edition} ${place.tid}`) return moved();
  if (edition !== null && doc.edition !== edition) {
    // A new edition voids every place: everybody starts again, each at their own moment.
    edition = doc.edition;
    place = drawn = null;
    pace = new line.Pace();
    return Math.random() * 5000;
  }
  edition = doc.edition;
  remember();
  if (doc.state === 'lobby' || doc.state === 'drawing') return lobby();
  if (!place.rank) await join();
  if (!place.rank) return opening('drawing', doc.opens_at);
  pace.add(doc, place);
  const turn = place.state === 'admitted' || place.state === 'eligible' || place.rank <= line.frontierOf(doc, place);
  await lot();
  if (doc.state === 'paused' && place.state !== 'admitted') return show('paused', every());
  if (turn) return myTurn();
  called = pressed = full = false;
  if (doc.stock?.sold_out) return show('soldout', every());
  return show(ahead() === 0 ? 'next' : 'queued', every());
}

const ahead = () => Math.max(0, line.position(doc, place) - 1);

function wait() {
  const speed = pace.speed(doc, place);
  if (doc.state === 'paused' || doc.stock?.sold_out) return null;
  if (speed > 0) return ahead() / speed;
  return line.isFull(doc) ? null : place.wait_s || null;
}

// With an unknown wait the table asks for patience; the few at the front of a full house are called as soon as somebody leaves.
const every = () => Math.min(line.pollEvery(doc.poll, wait()), line.pollNear(ahead()));

/** Keeps what was published before the draw, to hold the receipt against it. */
function remember() {
  const seen = JSON.parse(local(seenKey) || '{}');
  if (seen.edition !== doc.edition) Object.keys(seen).forEach((name) => delete seen[name]);
  seen.edition = doc.edition;
  seen.commitment ??= doc.commitment;
  seen.root ??= doc.draw?.sealed?.root;
  local(seenKey, JSON.stringify(seen));
}

async function lobby() {
  // Until the owner has said that this place will be drawn, it is asked again: any edge may be told twice.
  if (doc.state === 'lobby' && !place.in_draw) await join();
  return opening(doc.state, doc.opens_at);
}

function opening(state, at) {
  const left = at ? Date.parse(at) - clock - Date.now() : null;
  show(state);
  if (left === null) return every();
  // The first round after the moment is spread over ten seconds by the visitor's id, the rounds before it by the usual jitter.
  const first = Math.max(left, 0) + 500 + line.spread(place?.tid) * 10_000;
  const usual = state === 'lobby' && !place.in_draw ? 3000 : line.pollEvery(doc.poll, Math.max(left, 0) / 1000);
  return first < usual * 1.5 ? -first : usual;
}

/** Learns the place's number in the draw: the receipts of a whole lobby are asked for over minutes, or when somebody wants theirs. */
async function lot(now = false) {
  if (drawn || place.class !== 1) return;
  const count = doc.draw?.sealed?.count || 0;
  receiptAt ||= Date.now() + line.spread(place.tid.slice(6)) * count / 2;
  if (!now && Date.now() < receiptAt) return;
  drawn = {found: await proof.receipt(ask)};
}

async function verify() {
  try {
    await lot(true);
    const {found} = drawn;
    const known = JSON.parse(local(seenKey) || '{}');
    draw.proof(found ? await proof.check(t, found, place, room.room, known) : {ok: false, text: t.no_proof});
  } catch { trouble(t.busy); }
  show();
}

/** Whether the visitor wants to be asked before they are let in. */
const wantsToBeAsked = () => local(askKey) === '1';

async function myTurn() {
  show(place.state === 'admitted' ? 'admitted' : full ? 'next' : 'eligible');
  if (!called) {
    called = true;
    alerts.call(t, room.title, $('notify'));
    $('alert').textContent = wantsToBeAsked() ? t.turn_ask : document.hidden ? t.turn_note : t.turn_alert;
  }
  // Somebody who looks elsewhere, or is not ready, loses nothing by it: the pass starts to run when they come back.
  const wanted = document.hidden || wantsToBeAsked() || document.querySelector('dialog[open]');
  return !pressed && wanted ? 10_000 : claim();
}

async function claim() {
  let answer;
  try {
    const proven = key && challenge ? {key: key.text, challenge, signature: await key.sign(challenge, 'claim')} : {};
    answer = await ask('POST', 'claim', proven);
  } catch (e) {
    const before = challenge;
    challenge = e.body?.challenge || '';
    if (e.kind === 'place-moved') return moved();
    if (e.kind === 'place-of-another-browser' || (challenge && !key)) return elsewhere();
    if (e.kind === 'proof-required' && challenge && !before) return claim();
    if (e.status !== 401) throw e;
    if (e.kind === 'no-place') place = null;
    return 500;
  }
  challenge = answer.challenge || '';
  if (answer.state === 'admitted') return enter(answer.return);
  place.state = answer.state || 'queued';
  full = true;
  show('next');
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
  draw.forget();
  alerts.calm();
  const to = (room.return && room.return !== '/' ? room.return : where || '/').split('#')[0];
  setTimeout(() => location.replace(to), 700);
  return Infinity;
}

/** The cookie is a copy of another browser's place, or this browser lost its key. */
function elsewhere() {
  over = true;
  place = null;
  return show('elsewhere', Infinity);
}

/** Another device has the place now. The cookie of this one still shows it, so it is remembered that this is all it does. */
function moved() {
  local(movedKey, `${doc.edition} ${place.tid}`);
  over = true;
  place = null;
  return show('moved', Infinity);
}

/** Gets a code for this place; the answer to the first try has the challenge that a bound one signs. With a code, looks whether it still waits. */
async function offer(code) {
  const body = {return: room.return, code};
  try {
    return await ask('POST', 'offer', body);
  } catch (e) {
    const challenge = e.body?.challenge;
    if (e.kind === 'place-moved' && place) moved();
    if (e.kind !== 'proof-required' || !challenge || !key) throw e;
    return ask('POST', 'offer', {...body, key: key.text, challenge, signature: await key.sign(challenge, 'offer')});
  }
}

/** Has the place that waits for a code, in place of the one that is here. */
async function take(code) {
  await join({code}, 'handover');
  local(movedKey, null);
  over = called = pressed = full = false;
  challenge = '';
  drawn = null;
  schedule(-1);
}

/** Few need what moves a place, so it is loaded when somebody does. */
const hand = async (what, ...given) => {
  try { (await import('./handover.js'))[what](...given); } catch { trouble(t.offline); }
};

async function rejoin() {
  const anew = document.body.dataset.state === 'elsewhere';
  over = false;
  challenge = '';
  if (anew) {
    try { await join({anew: true}); } catch (e) { return trouble(e.body?.detail || t.busy); }
  }
  schedule(-1);
}

async function leave() {
  clearTimeout(timer);
  try {
    await ask('POST', 'leave', {});
  } catch (e) {
    if (e.status !== 401) { trouble(t.busy); return schedule(5000); }
  }
  over = true;
  place = drawn = null;
  local(nonceKey, null);
  draw.forget();
  show('left');
}

/** Shows a state; without one, the same again. */
function show(state, next) {
  if (!state && !doc) {
    $('ask').setAttribute('aria-pressed', wantsToBeAsked());
    return next;
  }
  draw(state ?? document.body.dataset.state, {
    place, doc, clock, drawn: drawn?.found, bound: Boolean(key), ahead: place && doc ? ahead() : 0, wait: place && doc ? wait() : null,
    asks: wantsToBeAsked(),
  });
  return next;
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
  if (over || busy) return;
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
  if (over || document.hidden) return;
  schedule(-Math.max(0, asked + 3000 - Date.now()));
}

$('actions').hidden = false;
$('leave').hidden = false;
alerts.setUp($('sound'), $('notify'));
document.addEventListener('visibilitychange', hurry);
addEventListener('online', hurry);
addEventListener('pageshow', (e) => { if (e.persisted) hurry(); });
$('enter').addEventListener('click', () => { called = pressed = true; schedule(-1); });
$('rejoin').addEventListener('click', rejoin);
$('verify').addEventListener('click', verify);
$('ask').addEventListener('click', () => {
  local(askKey, wantsToBeAsked() ? null : '1');
  show();
  if (!wantsToBeAsked()) hurry();
});
$('stock-line').addEventListener('toggle', async (e) => {
  if (e.target.open) draw.sections(await ask('GET', 'stock').catch(() => ({})));
});
$('other').addEventListener('click', () => hand('show', offer, hurry));
$('have').addEventListener('click', () => hand('ask', take, hurry));
$('leave').addEventListener('click', () => $('leave-dialog').showModal());
$('leave-dialog').addEventListener('close', (e) => { if (e.target.returnValue === 'yes') leave(); e.target.returnValue = ''; });
$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('code').textContent);
    speak(t.copied);
    $('copy').textContent = t.copied;
    setTimeout(() => { $('copy').textContent = t.copy; }, 2000);
  } catch { getSelection().selectAllChildren($('code')); }
});
/** A link from another device has its code in it; nothing is taken over before somebody agrees. */
function linked() {
  const code = new URLSearchParams(location.hash.slice(1)).get('place');
  if (!code) return;
  history.replaceState(null, '', location.pathname + location.search);
  hand('ask', take, hurry, code);
}
addEventListener('hashchange', linked);
linked();
schedule(room.first_poll_ms > 0 ? -Math.min(room.first_poll_ms, 3000) : -1);
