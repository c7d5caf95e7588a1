// One ticket as people see it: what it is for, its code, and what may still be done with it.
import {Problem, tokensOf} from './api.js';
import {giveForm} from './give.js';
import {holderForm} from './holder.js';
import {returnForm} from './return.js';
import {day} from './words.js';

const make = (tag, className, textContent = '') => Object.assign(document.createElement(tag), {className, textContent});

/** A seat in words: N-12-7 is seat 7 in row 12 of section N. Other names stay as they are. */
export function placeOf({seat = '', section = ''}) {
  const words = seat.split('-');
  if (words.length < 3) return {place: seat || section || 'Standing', where: seat && section && !seat.startsWith(section) ? `Section ${section}` : ''};
  return {place: `Row ${words.slice(1, -1).join('-')}, seat ${words.at(-1)}`, where: `Section ${section || words[0]}`};
}

/** The lines that say what a ticket is for. */
export function ticketText(ticket, event) {
  const text = make('div', 'text');
  const {place, where} = placeOf(ticket);
  text.append(make('span', 'event', event.name ?? ''), make('span', 'when', [day(event.starts_at), event.venue].filter(Boolean).join(' · ')),
    make('p', 'seat', place), make('span', 'kind', [where, ticket.type].filter(Boolean).join(' · ')));
  if (ticket.holder) text.append(make('span', 'holder-name', ticket.holder));
  return text;
}

/** Something of a ticket's or an order's as an address. Fetched rather than linked, so that its token goes along where cookies are blocked. */
async function fetched(path, headers) {
  const answer = await fetch(path, {headers, credentials: 'same-origin'});
  if (!answer.ok) throw new Problem(answer.status);
  return URL.createObjectURL(await answer.blob());
}

const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC');

/** Saves a document of the ticket or order with one of the ids. */
export async function download(path, name, ...ids) {
  const href = await fetched(`${path}?tz=${zone}`, tokensOf(...ids));
  Object.assign(document.createElement('a'), {href, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(href), 60000);
}

const voidWords = {
  transferred: 'You gave this ticket away. It is somebody else’s now.',
  refunded: 'This ticket is void: its money was given back.',
  charged_back: 'This ticket is void: its payment was taken back.',
  cancelled: 'This ticket is void: the event was cancelled.',
};

async function codeOf(ticket, order) {
  const qr = make('div', 'qr');
  if (ticket.state !== 'valid') qr.append(make('p', 'void', voidWords[ticket.void_reason] ?? 'This ticket is void. Another one is in its place.'));
  else if (ticket.needs_name) qr.append(make('p', 'void', 'The code appears when the ticket has a name.'));
  else {
    try {
      const src = await fetched(ticket.svg, tokensOf(order, ticket.id));
      qr.append(Object.assign(new Image(), {src, alt: `Code of the ticket for ${ticket.seat || ticket.section}`, width: 152, height: 152}));
    } catch {
      qr.append(make('p', 'void', 'The code could not be loaded. Reload the page.'));
    }
  }
  return qr;
}

/**
 * The ticket as a list item. `at` has the event, the event's rules for tickets, the order (none for a ticket that was given to this browser) with its
 * lines, and `changed`, which is called with what took the ticket's place, or with nothing when everything is to be read again.
 */
export async function ticketElement(ticket, at) {
  const li = make('li', `ticket${ticket.state === 'valid' ? '' : ' gone'}`);
  li.dataset.ticket = ticket.id;
  const text = ticketText(ticket, at.event);
  text.append(make('code', '', ticket.id.slice(-12)));
  li.append(text, await codeOf(ticket, at.order?.id));
  const more = make('div', 'more');
  more.append(...[holderForm(ticket, at), giveForm(ticket, at), returnForm(ticket, at)].filter(Boolean));
  if (more.children.length) li.append(more);
  return li;
}
