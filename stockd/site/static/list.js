// The tickets on the page. What did not change stays as it is: somebody may be writing into a form of it.
import {$} from './page.js';
import {ticketElement} from './ticket.js';

const shown = new Map(); // ticket → what of it was shown, and its element

/**
 * Shows tickets. `at` is what ticketElement wants; its `changed` is called with the ticket that was acted on, and what took its place, if anything did.
 */
export async function showTickets(list, at) {
  const next = await Promise.all(list.map(async (ticket) => {
    const text = JSON.stringify({...ticket, offer: ticket.offer?.id});
    const before = shown.get(ticket.id);
    if (before?.text === text) return {...before, id: ticket.id};
    return {id: ticket.id, text, li: await ticketElement(ticket, {...at, changed: (instead) => at.changed(ticket, instead)})};
  }));
  const elements = next.map(({li}) => li);
  for (const old of [...$('tickets').children]) if (!elements.includes(old)) old.remove();
  elements.forEach((li, i) => { if ($('tickets').children[i] !== li) $('tickets').insertBefore(li, $('tickets').children[i] ?? null); });
  shown.clear();
  for (const one of next) shown.set(one.id, one);
}

/** Takes whoever pressed a button to what it brought about; the button itself is gone. */
export function focusOn(id) {
  const li = shown.get(id)?.li;
  const to = li?.querySelector('.give input, .give summary') ?? li;
  if (to && to === li) li.tabIndex = -1;
  to?.focus();
}
