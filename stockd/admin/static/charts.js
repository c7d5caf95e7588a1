// A line chart in SVG with axes, a cursor and a legend that shows the latest values, or those under the cursor.

const NS = 'http://www.w3.org/2000/svg';
const hover = new WeakMap(); // host → share of the width, while a pointer is over it
export const number = (n, digits = 0) => new Intl.NumberFormat(undefined, {maximumFractionDigits: digits}).format(n);

function make(name, attributes, parent, text) {
  const e = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

/** A round number that is at least n. */
function ceiling(n) {
  if (n <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map((f) => f * unit).find((f) => f >= n);
}

const ago = (ms) => (ms < 90_000 ? `${Math.round(ms / 1000)} s ago` : ms < 5_400_000 ? `${Math.round(ms / 60_000)} min ago` : `${number(ms / 3_600_000, 1)} h ago`);

/** lines: [field, label, colour variable, filled]. Draws into host, again at each call. */
export function lineChart(host, samples, lines, digits = 0) {
  if (samples.length < 2) {
    host.replaceChildren(Object.assign(document.createElement('p'), {className: 'none', textContent: 'Collecting'}));
    return;
  }
  const width = host.clientWidth || 400;
  const height = 176;
  const [left, right, top, bottom] = [44, 6, 8, 20];
  const t0 = samples[0].t;
  const t1 = samples.at(-1).t;
  const most = ceiling(Math.max(...samples.flatMap((s) => lines.map(([f]) => s[f] ?? 0))));
  const x = (t) => left + ((t - t0) / (t1 - t0 || 1)) * (width - left - right);
  const y = (v) => top + (1 - v / most) * (height - top - bottom);
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('class', 'chart');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', lines.map(([f, label]) => `${label} now ${number(samples.at(-1)[f] ?? 0, digits)}`).join(', '));
  for (const share of [0, 0.5, 1]) {
    const at = y(most * share);
    make('line', {class: 'grid', x1: left, x2: width - right, y1: at, y2: at}, svg);
    make('text', {x: left - 8, y: at + 4, 'text-anchor': 'end'}, svg, number(most * share, most < 10 ? 1 : 0));
  }
  make('text', {x: left, y: height - 3}, svg, ago(t1 - t0));
  make('text', {x: width - right, y: height - 3, 'text-anchor': 'end'}, svg, 'now');
  for (const [field, , colour, filled] of lines) {
    const d = samples.map((s, i) => `${i ? 'L' : 'M'}${x(s.t).toFixed(1)} ${y(s[field] ?? 0).toFixed(1)}`).join('');
    const base = y(0);
    if (filled) make('path', {class: 'under', d: `${d}L${x(t1).toFixed(1)} ${base}L${left} ${base}Z`}, svg).style.setProperty('--c', `var(--${colour})`);
    make('path', {class: 'line', d}, svg).style.setProperty('--c', `var(--${colour})`);
  }
  const shown = cursor(svg, samples, lines, hover.get(host), {x, y, top, base: y(0), width, left, right});
  host.replaceChildren(legend(lines, shown, digits, t1), svg);
  const again = (share) => { hover.set(host, share); lineChart(host, samples, lines, digits); };
  svg.addEventListener('pointermove', (e) => {
    const rect = svg.getBoundingClientRect();
    again(((e.clientX - rect.x) / rect.width * width - left) / (width - left - right));
  });
  svg.addEventListener('pointerleave', () => again(undefined));
}

/** Marks the sample under the pointer; gives it, or the last one. */
function cursor(svg, samples, lines, share, at) {
  if (share === undefined) return samples.at(-1);
  const t = samples[0].t + Math.min(Math.max(share, 0), 1) * (samples.at(-1).t - samples[0].t);
  const sample = samples.reduce((a, b) => (Math.abs(b.t - t) < Math.abs(a.t - t) ? b : a));
  make('line', {class: 'cursor', x1: at.x(sample.t), x2: at.x(sample.t), y1: at.top, y2: at.base}, svg);
  for (const [field, , colour] of lines) make('circle', {class: 'point', cx: at.x(sample.t), cy: at.y(sample[field] ?? 0), r: 4.5}, svg).style.setProperty('--c', `var(--${colour})`);
  return sample;
}

function legend(lines, sample, digits, now) {
  const list = Object.assign(document.createElement('ul'), {className: 'legend'});
  for (const [field, label, colour] of lines) {
    const key = Object.assign(document.createElement('span'), {className: 'key'});
    key.style.setProperty('--c', `var(--${colour})`);
    const li = document.createElement('li');
    li.append(key, label, Object.assign(document.createElement('b'), {textContent: number(sample[field] ?? 0, digits)}));
    list.append(li);
  }
  if (now - sample.t > 1000) list.append(Object.assign(document.createElement('li'), {textContent: ago(now - sample.t)}));
  return list;
}
