// What the pages of orders and tickets have in common: a heading with a lead, buttons, and a line for what happened.
import {get, Problem} from './api.js';
import {explain} from './words.js';

export const $ = (id) => document.getElementById(id);

/** The heading, the lead, and how far the order is: 0 to 3. */
export function say(heading, lead, step = 0) {
  if ($('heading').textContent !== heading) $('heading').textContent = heading;
  if ($('lead').textContent !== lead) $('lead').textContent = lead;
  $('steps').hidden = step === 0;
  [...$('steps').children].forEach((s, i) => {
    s.classList.toggle('done', i < step);
    s.classList.toggle('now', i === step && step < 3);
  });
}

/** A line below the buttons for what has just happened. */
export const note = (...parts) => { $('note').replaceChildren(...parts); $('note').hidden = !parts.length; };

let present = '';

/** What can be done, as [label, address or action, quiet]. The same buttons again stay as they are: somebody may be about to press one. */
export function buttons(list) {
  const text = JSON.stringify(list.map(([label, action]) => [label, typeof action === 'string' ? action : '']));
  if (text === present) return;
  present = text;
  $('buttons').replaceChildren(...list.map(([label, action, quiet]) => {
    const e = document.createElement(typeof action === 'string' ? 'a' : 'button');
    e.className = `button ${quiet ? 'quiet' : 'primary'}`;
    e.textContent = label;
    if (typeof action === 'string') e.href = action;
    else e.addEventListener('click', async () => {
      e.disabled = true;
      try { await action(); } catch (problem) { note(explain(problem)); }
      e.disabled = false;
    });
    return e;
  }));
}

let wakeUp = null;
let missed = false;

/** Sleeps until the time is over (Infinity: never), something was done on this page, or somebody comes back to it. */
export async function nap(ms) {
  if (!missed) {
    await new Promise((done) => {
      wakeUp = done;
      if (ms < Infinity) setTimeout(done, ms);
    });
  }
  wakeUp = null;
  missed = false;
}

/** Ends a nap, or the next one: what the page shows may be out of date. */
export function wake() {
  missed = true;
  wakeUp?.();
}

const calm = 5000; // milliseconds until the service is asked again that was away

/** Reads until there is an answer. For what is on the page already: it stays there while the service, or the connection, is away. */
export async function readAgain(read) {
  for (;;) {
    try {
      return await read();
    } catch (problem) {
      if (!(problem instanceof Problem) || (problem.status && problem.status < 500)) throw problem;
      await nap(calm);
    }
  }
}

document.addEventListener('visibilitychange', () => { if (!document.hidden) wake(); });

/** Reads an event, and puts its name where the page says it; without an answer the page does without. */
export async function eventOf(id) {
  try {
    const {body} = await get(`/v1/events/${id}`);
    document.querySelectorAll('[data-event-name]').forEach((e) => { e.textContent = body.name; });
    return body;
  } catch { return {}; }
}
