// The shop's page: wires map, forms and hold together.
import {get} from './api.js';
import {Availability} from './availability.js';
import {Choice} from './choice.js';
import {Held} from './held.js';
import {onOtherTab, take, resume} from './hold.js';
import {House} from './house.js';
import {SeatMap} from './map.js';
import {notice} from './notice.js';
import {backToLine, keepPass} from './pass.js';
import {day, explain, money} from './words.js';

const {event, room} = document.body.dataset;
const $ = (id) => document.getElementById(id);
const modes = {stream: 'Live', poll: 'Live', stale: 'Reconnecting', off: 'Connecting'};
const shop = {event, limit: 6, map: null, availability: null, house: null};

function setMode(mode) {
  $('live').dataset.mode = mode;
  $('live-text').textContent = modes[mode];
}

/** Any refusal ends up here: words first, then the way out that fits. */
shop.refuse = async (problem, wish) => {
  if (problem.kind === 'not-on-sale') problem.body = {state: shop.sale, ...problem.body};
  if (problem.kind === 'admission-required' || problem.kind === 'queued') {
    notice(explain(problem));
    setTimeout(backToLine, 1200);
    return;
  }
  const ways = [];
  const b = problem.body ?? {};
  const again = (changed) => () => shop.hold(changed);
  if (problem.kind === 'seat-taken') {
    b.gone = await shop.gone(b.conflicts ?? []);
    const others = (b.alternatives ?? []).filter((label) => shop.house.seats.has(label));
    if (others.length) ways.push([`Take ${others.join(', ')} instead`, again({items: instead(wish, b.conflicts, others), on_conflict: 'fail'})]);
    else if (wish?.items) ways.push(['Find the nearest free ones', again({...wish, on_conflict: 'nearest'})]);
  }
  if (problem.kind === 'not-together' && wish?.best_available) ways.push(['Take them apart', again({...wish, best_available: {...wish.best_available, together: 'any'}})]);
  if (['sold-out', 'all-held'].includes(problem.kind) && wish?.best_available?.categories?.length) ways.push(['Look in all categories', again({...wish, best_available: {...wish.best_available, categories: undefined}})]);
  if (problem.kind === 'would-orphan') {
    for (const s of (b.suggestions ?? []).slice(0, 3)) {
      const labels = [s].flat().map((x) => x.seat ?? x);
      ways.push([labels.join(', '), again({items: labels.map((seat) => ({seat, type: shop.house.types[0].name})), on_conflict: 'fail'})]);
    }
  }
  notice(explain(problem), {bad: true, ways});
};

// What a refused hold had for a moment in other sections is free again before the refusal comes, but the news of it may be most of a second on its way.
const comesBack = 800;

/** Takes out of the choice what others have by now: the seats that the API names, which are of one section, and in the others what the map shows. */
shop.gone = async (conflicts) => {
  shop.taking = true; // the map would announce by itself what the refusal is about to say, and our own try as somebody else's
  if (shop.choice.spread('segment') > 1) await new Promise((done) => { setTimeout(done, comesBack); });
  await shop.availability.refresh().catch(() => {});
  shop.taking = false;
  return [...new Set([...conflicts, ...shop.choice.drop(conflicts)])];
};

/** The wish with other seats in place of those in the part of the house where some were taken: of them alone the API knows alternatives. */
function instead(wish, conflicts, others) {
  const segment = (label) => shop.house.seats.get(label)?.segment;
  const there = segment(others[0]);
  const [lost, rest] = [(wish?.items ?? []).filter((i) => segment(i.seat) === there), (wish?.items ?? []).filter((i) => segment(i.seat) !== there)];
  const types = lost.filter((i) => conflicts.includes(i.seat)).map((i) => i.type);
  const typeOf = (label) => lost.find((i) => i.seat === label)?.type ?? types.shift() ?? shop.house.types[0].name;
  return [...rest, ...others.map((seat) => ({seat, type: typeOf(seat)}))];
}

/** Takes seats and shows them held. While that runs, seats that turn taken may be our own. */
shop.hold = async (wish) => {
  notice('');
  shop.taking = true;
  document.querySelectorAll('#choose .primary').forEach((b) => { b.disabled = true; });
  try {
    shop.held.show(await take(event, wish), wish);
    shop.choice.clear();
  } catch (e) {
    shop.taking = false;
    await shop.refuse(e, wish);
  } finally {
    shop.taking = false;
    document.querySelectorAll('#choose .primary').forEach((b) => { b.disabled = false; });
  }
};

function fillLegend(house) {
  const item = (cls, text, color) => {
    const li = document.createElement('li');
    const dot = Object.assign(document.createElement('span'), {className: cls});
    if (color) dot.style.setProperty('--c', color);
    li.append(dot, text);
    return li;
  };
  $('legend').replaceChildren(...house.categories.map((c) => {
    const low = house.lowest(c.index);
    return item('swatch', `${c.name}${low === null ? '' : ` from ${money(low, house.currency)}`}`, c.color);
  }), item('box', 'Wheelchair space'), item('gone', 'Taken'));
}

function fillJump(house) {
  const jump = $('jump');
  for (const s of [...house.areas, ...house.sections]) jump.append(new Option(s.area ? s.label : s.name ? `${s.id} · ${s.name}` : `Section ${s.id}`, s.id));
  jump.addEventListener('change', () => {
    const area = house.areas.find((a) => a.id === jump.value);
    if (area) return shop.choice.openArea(area);
    shop.map.show(house.sections.find((s) => s.id === jump.value) ?? null);
  });
}

/** Says that sales are paused or over, and takes it back when they go on. */
function sale(body) {
  if (body.state && body.state !== 'on_sale') notice(explain({kind: 'not-on-sale', body}));
  else if (shop.sale && shop.sale !== 'on_sale') notice('Sales go on.');
  shop.sale = body.state;
}

async function showEvent() {
  const {body} = await get(`/v1/events/${event}`);
  if (body.name) document.querySelectorAll('[data-event-name]').forEach((e) => { e.textContent = body.name; });
  $('meta').textContent = [day(body.starts_at), body.venue].filter(Boolean).join(' · ');
  if (body.currency) shop.house.currency = body.currency;
  shop.limit = body.limits?.tid || shop.limit;
  sale(body);
}

async function start() {
  keepPass(room);
  const {body} = await get(`/v1/events/${event}/map`);
  const house = new House(body);
  shop.house = house;
  await showEvent().catch(() => {});
  shop.availability = new Availability(event, (segments) => { shop.map?.changed(segments); shop.choice?.availabilityChanged(segments); }, setMode, (state) => sale({state}));
  shop.held = new Held(shop);
  shop.choice = new Choice(shop);
  fillLegend(house);
  await shop.availability.start();
  shop.map = new SeatMap($('map'), house, shop.availability, {
    toggle: (seat) => shop.choice.toggle(seat),
    area: (area) => shop.choice.openArea(area),
    opened: (section) => { $('jump').value = section?.id ?? ''; },
    chosen: (label) => shop.choice.has(label) || shop.held.has(label),
    mine: () => [...shop.choice.labels(), ...shop.held.labels()],
    describe: (seat) => shop.choice.describe(seat),
  });
  fillJump(house);
  $('zoom-in').addEventListener('click', () => shop.map.view.zoom(0.6));
  $('zoom-out').addEventListener('click', () => shop.map.back());
  await showOld().catch((e) => notice(`${explain(e)} We do not know yet which seats you hold.`, {bad: true, ways: [['Look again', () => location.reload()]]}));
  onOtherTab(event, (some) => (some ? showOld().catch(() => {}) : shop.held.gone()));
}

/** Leads to an order that waits for its payment. */
shop.unfinished = (order) => notice('You have an order that is not finished.', {ways: [['Go on with it', () => location.assign(`/tickets?order=${order}`)]]});

/** Shows what this browser holds already, also from another tab. */
async function showOld() {
  const old = await resume(event);
  if (old?.order) shop.unfinished(old.order);
  else if (old) shop.held.show(old);
}

start().catch((e) => {
  if (e.kind === undefined) console.error(e);
  $('map').replaceChildren(Object.assign(document.createElement('p'), {className: 'loading', textContent: 'The map could not be loaded.'}));
  if (e.kind === 'admission-required' || e.kind === 'queued') return backToLine();
  notice(e.kind ? explain(e) : 'The page could not start.', {bad: true, ways: [['Try again', () => location.reload()]]});
});
