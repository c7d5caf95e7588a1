// The parts of the board beside the charts: alarms, figures, rooms, nodes, and each event with its heat map and controls.
import {number} from './charts.js';

const $ = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

const sum = (list, field) => list.reduce((n, x) => n + (x[field] ?? 0), 0);
const percent = (part, whole) => (whole ? `${number((100 * part) / whole, part / whole < 0.1 ? 1 : 0)} %` : '–');
const stateWords = {draft: 'Draft', on_sale: 'On sale', paused: 'Paused', closed: 'Closed', lobby: 'Lobby', open: 'Open', ended: 'Ended'};
const badge = (state) => { const e = element('span', {className: 'state', textContent: stateWords[state] ?? state}); e.dataset.state = state; return e; };

export class Parts {
  #change;
  #retry;
  #said = [];
  #events = new Map(); // id → {root, key}: kept, so that focus and pointer survive a redraw

  constructor(change, retry) {
    this.#change = change;
    this.#retry = retry;
  }

  /** Lists calls that were given up, each with a button to try it again. */
  calls(list, dead) {
    const key = JSON.stringify([list, dead]);
    if ($('calls').dataset.key === key) return; // so that the focus stays on its button
    $('calls').dataset.key = key;
    $('calls-section').hidden = !dead;
    const head = ['Call', 'About', 'Tries', 'Given up', 'Last error', 'Again'].map((textContent) => element('th', {scope: 'col', textContent}));
    const rows = list.map((c) => element('tr', {},
      element('th', {scope: 'row', textContent: `${c.topic} ${c.id}`}), element('td', {textContent: c.about}), element('td', {textContent: number(c.attempts)}),
      element('td', {textContent: c.dead_at ? new Date(c.dead_at).toLocaleString() : '–'}), element('td', {textContent: c.error ?? ''}),
      element('td', {}, element('button', {type: 'button', className: 'quiet', textContent: 'Try again', onclick: () => this.#retry(c)}))));
    $('calls').replaceChildren(element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows,
      ...(dead > list.length ? [element('tr', {}, element('td', {colSpan: 6, textContent: `and ${number(dead - list.length)} more`}))] : [])));
  }

  /** Shows a text among the alarms for ten seconds. */
  say(text) {
    const one = {level: 'warning', text, until: Date.now() + 10_000};
    this.#said.push(one);
  }

  alarms(list) {
    this.#said = this.#said.filter((s) => s.until > Date.now());
    const all = [...this.#said, ...list];
    const key = JSON.stringify(all);
    if ($('alarms').dataset.key === key) return; // said once, not with every poll
    $('alarms').dataset.key = key;
    $('alarms').replaceChildren(...all.map((a) => element('div', {className: `alarm ${a.level}`},
      element('strong', {textContent: a.text}), a.since && element('span', {textContent: `since ${new Date(a.since).toLocaleTimeString()}`}), a.do && element('span', {textContent: a.do}))));
  }

  figures(s, samples) {
    const sections = (s.events ?? []).flatMap((e) => e.sections ?? []);
    const all = sum(sections, 'capacity');
    const rooms = s.rooms ?? [];
    const last = samples.at(-1);
    const before = samples.findLast?.((x) => last && last.t - x.t >= 10_000) ?? samples[0];
    const pace = last && before && last.t > before.t ? (60_000 * (last.sold - before.sold)) / (last.t - before.t) : 0;
    const rows = [
      ['Sold', sum(sections, 'sold'), percent(sum(sections, 'sold'), all), 'sold'],
      ['Held', sum(sections, 'held'), percent(sum(sections, 'held'), all), 'held'],
      ['Paying', sum(sections, 'paying'), percent(sum(sections, 'paying'), all), 'paying'],
      ['Free', sum(sections, 'free'), `of ${number(all)}`, 'free'],
      ['Sold per minute', Math.max(0, Math.round(pace)), ''],
      ...(rooms.length ? [['Waiting', sum(rooms, 'waiting'), ''], ['Inside', sum(rooms, 'inside'), `of ${number(sum(rooms, 'max_active'))}`]] : []),
    ];
    $('figures').replaceChildren(...rows.map(([label, value, note, colour]) => {
      const dt = element('dt', {textContent: label});
      if (colour) {
        dt.dataset.c = colour;
        dt.style.setProperty('--c', `var(--${colour})`);
      }
      return element('dl', {className: 'figure'}, dt, element('dd', {textContent: number(value)}, note && element('small', {textContent: note})));
    }));
    for (const dl of $('figures').children) dl.style.margin = '0';
  }

  rooms(list) {
    $('rooms-section').hidden = list.length === 0;
    const cell = (label, value) => element('div', {}, element('dt', {textContent: label}), element('dd', {textContent: value}));
    $('rooms').replaceChildren(...list.map((r) => element('article', {className: 'room'},
      element('header', {}, element('h3', {textContent: r.name}), badge(r.state)),
      element('dl', {}, cell('Waiting', number(r.waiting)), cell('Inside', r.max_active ? `${number(r.inside)} / ${number(r.max_active)}` : number(r.inside)),
        cell('Let in per second', `${number(r.admitted ?? 0, 1)} / ${number(r.rate, 1)}`), ...(r.owner ? [cell('Decided at', r.owner)] : [])),
      r.why && element('p', {className: 'why', textContent: r.why}))));
  }

  nodes(list) {
    const head = ['Node', 'Partitions', 'Flush half', 'Flush 99 %', 'Batch', 'Queue', 'Operations/s'];
    const most = Math.max(1, ...list.map((n) => n.partitions));
    const rows = list.map((n) => {
      const fill = element('i');
      fill.style.width = `${(100 * n.partitions) / most}%`;
      const cells = [
        element('td', {}, n.id, element('small', {textContent: n.alive ? n.addr : `${n.addr} · not seen`})),
        element('td', {}, element('span', {className: 'spread'}, fill), number(n.partitions)),
        ...[`${number(n.flush_p50_ms, 1)} ms`, `${number(n.flush_p99_ms, 1)} ms`, number(n.batch_mean, 1), n.queue_max ? `${number(n.queue)} / ${number(n.queue_max)}` : number(n.queue), number(n.ops_per_second ?? 0)]
          .map((text) => element('td', {textContent: text})),
      ];
      return element('tr', {className: n.alive ? '' : 'down'}, ...cells);
    });
    $('nodes').replaceChildren(element('thead', {}, element('tr', {}, ...head.map((h) => element('th', {textContent: h, scope: 'col'})))), element('tbody', {}, ...rows));
  }

  events(list) {
    for (const [id, kept] of this.#events) {
      if (list.some((e) => e.id === id)) continue;
      kept.root.remove();
      this.#events.delete(id);
    }
    for (const event of list) {
      let kept = this.#events.get(event.id);
      if (!kept) {
        kept = {root: element('section', {className: 'event'}), header: element('header'), body: element('div')};
        kept.root.append(kept.header, kept.body);
        $('events').append(kept.root);
        this.#events.set(event.id, kept);
      }
      const key = [event.state, event.version, event.name].join();
      if (kept.key !== key) {
        kept.key = key;
        kept.header.replaceChildren(...this.#eventHeader(event));
      }
      kept.body.replaceChildren(...this.#eventBody(event));
    }
  }

  #eventHeader(event) {
    const button = (label, state, primary) => {
      const b = element('button', {type: 'button', className: primary ? 'primary' : 'quiet', textContent: label});
      b.addEventListener('click', () => this.#change(event, state));
      return b;
    };
    const buttons = element('div', {className: 'buttons'});
    if (event.state === 'on_sale') buttons.append(button('Pause', 'paused'));
    if (event.state === 'draft' || event.state === 'paused') buttons.append(button(event.state === 'draft' ? 'Open' : 'Go on', 'on_sale', true));
    if (event.state !== 'closed') buttons.append(button('Close', 'closed'));
    return [element('h3', {textContent: event.name || event.slug}), badge(event.state), buttons];
  }

  #eventBody(event) {
    const sections = event.sections ?? [];
    const all = sum(sections, 'capacity');
    const bar = element('div', {className: 'bar', role: 'img', ariaLabel: ['sold', 'paying', 'held', 'free'].map((f) => `${number(sum(sections, f))} ${f}`).join(', ')});
    for (const field of ['sold', 'paying', 'held']) {
      const part = element('span');
      part.style.setProperty('--c', `var(--${field})`);
      part.style.flexGrow = String(all ? sum(sections, field) / all : 0);
      bar.append(part);
    }
    const rest = element('span');
    rest.style.setProperty('--c', 'var(--free)');
    rest.style.flexGrow = String(all ? sum(sections, 'free') / all : 1);
    bar.append(rest);
    const money = event.gross ? new Intl.NumberFormat(undefined, {style: 'currency', currency: event.currency || 'EUR', maximumFractionDigits: 0}).format(event.gross / 100) : '';
    const facts = [`${percent(sum(sections, 'sold'), all)} sold`, `${number(sum(sections, 'free'))} free`, money && `${money} paid`, event.stale && 'some counts are being brought up to date'].filter(Boolean);
    return [bar, element('p', {className: 'when', textContent: facts.join(' · ')}), element('ul', {className: 'heat'}, ...sections.map(heatCell)),
      element('p', {className: 'scale'}, 'Free seats left in each section; everything left', element('i'), 'nothing left')];
  }
}

// Five steps rather than a slide: between them the numbers could not be read on any colour of text.
const steps = [0.08, 0.22, 0.38, 0.85, 1];

function heatCell(s) {
  const gone = s.capacity ? 1 - s.free / s.capacity : 1;
  const step = gone >= 1 ? 4 : Math.floor(gone * 5);
  const cell = element('li', {className: `cell${step > 2 ? ' deep' : ''}${s.area ? ' area' : ''}`, title: `${s.name}: ${s.free} free, ${s.held} held, ${s.paying} paying, ${s.sold} sold of ${s.capacity}`},
    element('b', {textContent: s.area ? s.name : s.id}), element('span', {textContent: number(s.free)}));
  cell.style.setProperty('--share', steps[step]);
  return cell;
}
