// The finance page: signs in with an API key, reads the books once, and again when asked; shows all about an order or payment; downloads exports.
import {lineChart} from './charts.js';

const $ = (id) => document.getElementById(id);
let key = sessionStorage.getItem('finance_key');
let overview = null;

function element(name, properties = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

function signedIn(yes, error = '') {
  $('sign-in').hidden = yes;
  for (const id of ['board', 'sign-out', 'again']) $(id).hidden = !yes;
  $('sign-error').textContent = error;
  if (!yes) $('key').focus();
}

function signOut(error = '') {
  key = null;
  overview = null;
  sessionStorage.removeItem('finance_key');
  $('when').textContent = '';
  signedIn(false, error);
}

/** Gets a path with the key. What is refused is thrown with what the server says about it. */
async function ask(path) {
  const answer = await fetch(path, {cache: 'no-store', headers: {Authorization: `Bearer ${key}`, Accept: 'application/json'}});
  if (answer.ok) return answer;
  let detail = `The server answered ${answer.status}.`;
  try { detail = (await answer.json()).detail ?? detail; } catch { /* not ours */ }
  throw Object.assign(new Error(detail), {refused: answer.status === 401 || answer.status === 403});
}

const breaks = ['settlement', 'orders', 'seats', 'invoices'];
const amounts = /^-?\d+([.]\d+)?$/;

function table(t) {
  const right = t.columns.map((_, i) => t.rows.length > 0 && t.rows.every((r) => r[i] === '' || amounts.test(r[i])));
  const cell = (name, text, i) => element(name, {textContent: text, className: right[i] ? 'amount' : ''});
  const rows = t.rows.map((r, n) => element('tr', {}, ...r.map((text, i) => {
    if (i > 0 || !t.leads?.[n]) return cell('td', text, i);
    const lead = element('button', {type: 'button', className: 'lead', textContent: text});
    lead.addEventListener('click', () => show(t.leads[n]));
    return element('td', {}, lead);
  })));
  const body = element('table', {}, element('thead', {}, element('tr', {}, ...t.columns.map((c, i) => cell('th', c, i)))), element('tbody', {}, ...rows));
  const scroll = element('div', {className: 'scroll', tabIndex: 0}, body);
  scroll.setAttribute('role', 'region');
  scroll.setAttribute('aria-label', `${t.title}, table`);
  return element('section', {}, element('h2', {textContent: t.title}), t.rows.length ? scroll : element('p', {className: 'nothing', textContent: 'None'}),
    t.more && element('p', {textContent: 'There are more; stockd reconcile and the views of docs/finance.md list them.'}));
}

function draw() {
  $('when').textContent = `as of ${new Date(overview.at).toLocaleString()}`;
  const broken = overview.tables.filter((t) => breaks.includes(t.id)).reduce((n, t) => n + t.rows.length, 0);
  $('verdict').textContent = broken ? `${broken} ${broken === 1 ? 'row does' : 'rows do'} not fit: see below.` : 'Nothing on this page is broken; stockd reconcile checks everything.';
  $('tables').replaceChildren(...overview.tables.map(table));
  charts();
}

/** A chart for each currency: what was sold and what went back, in each while, and what it came to. */
function charts() {
  const width = overview.sales_width_s * 1000;
  const figures = [];
  for (const [currency, exponent] of Object.entries(overview.exponents)) {
    const sales = overview.sales.filter((s) => s.currency === currency);
    const scale = 10 ** exponent;
    const samples = [];
    let total = 0;
    for (const s of sales) {
      const t = Date.parse(s.at);
      const before = samples.at(-1);
      if (!before || t - before.t > width) samples.push({t: t - width, sold: 0, refunded: 0, total});
      total += (s.sold_minor - s.refunded_minor) / scale;
      samples.push({t, sold: s.sold_minor / scale, refunded: s.refunded_minor / scale, total});
    }
    const end = Date.parse(overview.at);
    if (samples.length && end > samples.at(-1).t) samples.push({t: Math.min(samples.at(-1).t + width, end), sold: 0, refunded: 0, total}, {t: end, sold: 0, refunded: 0, total});
    const each = width < 60_000 ? `${width / 1000} s` : width < 3_600_000 ? `${width / 60_000} min` : `${width / 3_600_000} h`;
    for (const [title, lines] of [
      [`Sold less refunded, ${currency}`, [['total', 'Since the beginning', 'sold', true]]],
      [`Each ${each}, ${currency}`, [['sold', 'Sold', 'sold', true], ['refunded', 'Refunded', 'paying', true]]],
    ]) {
      const host = element('div');
      figures.push([element('figure', {}, element('figcaption', {textContent: title}), host), () => lineChart(host, samples, lines, exponent)]);
    }
  }
  $('charts').replaceChildren(...figures.map(([f]) => f));
  for (const [, paint] of figures) paint(); // once they have a width
}

async function show(of) {
  $('detail-h').textContent = of;
  $('detail-tables').replaceChildren(element('p', {textContent: 'Reading'}));
  if (!$('detail').open) $('detail').showModal();
  try {
    const {tables} = await (await ask(`/admin/finance/detail?of=${encodeURIComponent(of)}`)).json();
    $('detail-tables').replaceChildren(...tables.map(table));
  } catch (e) {
    $('detail-tables').replaceChildren(element('p', {className: 'error', textContent: e.message}));
  }
}

async function read() {
  $('again').disabled = true;
  try {
    overview = await (await ask('/admin/finance/overview')).json();
    sessionStorage.setItem('finance_key', key);
    signedIn(true);
    draw();
  } catch (e) {
    if (e.refused || !overview) signOut(e.message);
    else $('verdict').textContent = e.message;
  }
  $('again').disabled = false;
}

async function download() {
  const q = new URLSearchParams({format: $('format').value});
  for (const id of ['from', 'to']) if ($(id).value) q.set(id, $(id).value);
  $('export-error').textContent = '';
  try {
    const blob = await (await ask(`/admin/finance/exports/${$('kind').value}?${q}`)).blob();
    const url = URL.createObjectURL(blob);
    const a = element('a', {href: url, download: [$('kind').value, $('from').value, $('to').value].filter(Boolean).join('-') + `.${$('format').value}`});
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (e) {
    $('export-error').textContent = e.message;
  }
}

$('sign-in').addEventListener('submit', (e) => { e.preventDefault(); key = $('key').value.trim(); $('key').value = ''; read(); });
$('export').addEventListener('submit', (e) => { e.preventDefault(); download(); });
$('sign-out').addEventListener('click', () => signOut());
$('again').addEventListener('click', read);
let resized = 0;
addEventListener('resize', () => { clearTimeout(resized); resized = setTimeout(() => overview && charts(), 150); });
if (key) read(); else signedIn(false);
