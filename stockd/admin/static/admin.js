// The admin page: signs in with an API key, polls /admin/status, draws it, and pauses, opens or closes events.
import {lineChart} from './charts.js';
import {Parts} from './parts.js';

const $ = (id) => document.getElementById(id);
const every = 1500;
const keepSamples = 900;
let key = sessionStorage.getItem('api_key');
let samples = [];
let timer = 0;
let failures = 0;
let status = null;
const parts = new Parts(change, (call) => retry({id: call.id}));

function signedIn(yes, error = '') {
  $('sign-in').hidden = yes;
  $('board').hidden = !yes;
  $('sign-out').hidden = !yes;
  $('sign-error').textContent = error;
  if (!yes) {
    setMode('off', 'Signed out');
    clearTimeout(timer);
    $('key').focus();
  }
}

function setMode(mode, text) {
  $('live').dataset.mode = mode;
  $('live-text').textContent = text;
}

function signOut(error) {
  key = null;
  sessionStorage.removeItem('api_key');
  samples = [];
  signedIn(false, error);
}

/** Adds this moment to the history: the server's own where it keeps one, else what this page has seen. */
function remember(s) {
  if (s.history?.length) {
    samples = s.history.map((h) => ({...h, t: Date.parse(h.at)}));
    return;
  }
  const sum = (field) => (s.events ?? []).reduce((n, e) => n + e.sections.reduce((m, x) => m + x[field], 0), 0);
  const nodes = (s.nodes ?? []).filter((n) => n.alive);
  const worst = (field) => Math.max(0, ...nodes.map((n) => n[field] ?? 0));
  samples.push({
    t: Date.parse(s.now), free: sum('free'), held: sum('held'), paying: sum('paying'), sold: sum('sold'),
    waiting: (s.rooms ?? []).reduce((n, r) => n + r.waiting, 0), inside: (s.rooms ?? []).reduce((n, r) => n + r.inside, 0),
    flush_p50_ms: worst('flush_p50_ms'), flush_p99_ms: worst('flush_p99_ms'),
  });
  // The older half is thinned out rather than cut off, so that a long sale keeps its shape.
  if (samples.length > keepSamples) samples = samples.filter((_, i) => i % 2 === 0 || i > keepSamples / 2);
}

function draw() {
  const s = status;
  $('when').textContent = [s.version, s.node && `answered by ${s.node}`].filter(Boolean).join(' · ');
  parts.alarms(s.alarms ?? []);
  parts.figures(s, samples);
  parts.rooms(s.rooms ?? []);
  parts.nodes(s.nodes ?? []);
  parts.events(s.events ?? []);
  parts.calls(s.calls ?? [], s.calls_dead ?? 0);
  lineChart($('chart-sold'), samples, [['sold', 'Sold', 'sold', true]]);
  lineChart($('chart-held'), samples, [['held', 'Held', 'held', true], ['paying', 'Paying', 'paying', true]]);
  // Where each edge keeps its own room, stockd does not know how many wait: better no chart than one of zeros.
  $('chart-people').parentElement.hidden = !(s.rooms ?? []).length;
  lineChart($('chart-people'), samples, [['waiting', 'Waiting', 'blue', true], ['inside', 'Inside', 'accent', false]]);
  lineChart($('chart-flush'), samples, [['flush_p50_ms', 'Half within', 'sold', false], ['flush_p99_ms', '99 % within', 'accent', false]], 1);
}

async function ask(method, path, body, headers = {}) {
  const answer = await fetch(path, {
    method, cache: 'no-store', signal: AbortSignal.timeout?.(8000), body: body && JSON.stringify(body),
    headers: {Authorization: `Bearer ${key}`, Accept: 'application/json', ...(body && {'Content-Type': 'application/json'}), ...headers},
  });
  const text = await answer.text();
  let data = {};
  try { data = JSON.parse(text); } catch { /* not ours */ }
  if (!answer.ok) throw Object.assign(new Error(data.detail || data.title || `status ${answer.status}`), {status: answer.status});
  return data;
}

async function poll() {
  clearTimeout(timer);
  try {
    status = await ask('GET', '/admin/status');
    failures = 0;
    signedIn(true);
    remember(status);
    draw();
    setMode('on', 'Live');
  } catch (e) {
    if (e.status === 401 || e.status === 403) return signOut(e.status === 401 ? 'This key is not known.' : 'This key lacks the scope ops.');
    if (!e.status && !(e instanceof TypeError) && e.name !== 'TimeoutError') console.error(e);
    failures += 1;
    setMode('lost', 'No answer, trying again');
    if (!status) signedIn(false, `No answer: ${e.message}`);
    if (!status) return;
  }
  timer = setTimeout(poll, every * 2 ** Math.min(failures, 4) * (document.hidden ? 4 : 1));
}

const questions = {
  paused: ['Pause sales?', 'New holds are refused. People who hold seats can still pay, and the line keeps its order.', 'Pause sales'],
  on_sale: ['Open sales?', 'Seats can be held and bought from now on.', 'Open sales'],
  closed: ['Close this event?', 'New holds are refused for good. People who hold seats can still pay, and waiting people are told that it is over.', 'Close the event'],
};

/** Changes an event's state after a question. */
async function change(event, state) {
  const [heading, text, yes] = questions[state];
  $('confirm-h').textContent = heading;
  $('confirm-p').textContent = `${event.name}. ${text}`;
  $('confirm-yes').textContent = yes;
  const dialog = $('confirm');
  dialog.returnValue = '';
  dialog.showModal();
  await new Promise((done) => { dialog.addEventListener('close', done, {once: true}); });
  if (dialog.returnValue !== 'yes') return;
  try {
    await ask('PATCH', `/v1/events/${event.id}`, {state}, {'If-Match': event.version, 'Idempotency-Key': crypto.randomUUID?.() ?? String(Math.random()).slice(2).padEnd(22, '0')});
  } catch (e) {
    parts.say(e.status === 412 ? 'Somebody changed this event at the same time. Look at it again, then decide.' : `That did not work: ${e.message}`);
  }
  poll();
}

/** Tries calls again that were given up: one by its id, or all. */
async function retry(which) {
  try {
    const {due} = await ask('POST', '/admin/outbox/retry', which);
    parts.say(due === 1 ? 'The call is tried again now.' : `${due} calls are tried again now.`);
  } catch (e) {
    parts.say(e.status === 404 ? 'That call is done by now.' : `That did not work: ${e.message}`);
  }
  poll();
}

$('calls-all').addEventListener('click', () => retry({all: true}));
$('sign-in').addEventListener('submit', (e) => {
  e.preventDefault();
  key = $('key').value.trim();
  sessionStorage.setItem('api_key', key);
  $('key').value = '';
  poll();
});
$('sign-out').addEventListener('click', () => { status = null; signOut(''); });
document.addEventListener('visibilitychange', () => { if (!document.hidden && key && status) poll(); });
if (key) poll();
else signedIn(false);
