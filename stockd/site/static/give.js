// Giving a ticket away: a code for one other person, who takes the ticket with it. Until then it stays here, and the offer can be taken back.
import {call, newKey, tokensOf} from './api.js';
import {copied, linkField} from './link.js';
import {explain, moment} from './words.js';

const make = (tag, className, textContent = '') => Object.assign(document.createElement(tag), {className, textContent});

/** A code in groups, as people read it out. */
export const spaced = (code) => code.replace(/(.{5})(?=.)/g, '$1-');

/** The address of the page that takes a ticket. The code stands behind the #, which browsers send to nobody. */
const linkOf = (code) => new URL(`/t/#${spaced(code)}`, location.href).href;

/** A button that does something once at a time, and says what went wrong. */
function button(label, className, says, action) {
  const b = Object.assign(make('button', `button ${className}`, label), {type: 'button'});
  b.addEventListener('click', async () => {
    b.disabled = true;
    try { await action(); } catch (problem) { says.textContent = explain(problem); }
    b.disabled = false;
  });
  return b;
}

function whyNot(ticket, rules) {
  if (rules.transfers === 0) return 'Tickets of this event cannot be given to somebody else.';
  if (Date.parse(rules.changes_until) <= Date.now()) return 'It is too late to give this ticket away. Ask the organiser.';
  return ticket.transfers_left < 1 ? 'This ticket has changed hands as often as the event allows.' : '';
}

/** What a ticket's owner sees of giving it away; nothing for a ticket that is void. */
export function giveForm(ticket, {rules, order, changed}) {
  if (ticket.state !== 'valid') return null;
  const headers = tokensOf(order?.id, ticket.id);
  const says = make('p', 'hint');
  says.setAttribute('role', 'status');
  if (ticket.offer) return offered(ticket, headers, says, changed);
  const no = whyNot(ticket, rules);
  if (no) return make('p', 'hint', no);
  const key = newKey();
  const box = make('details', 'give');
  box.append(make('summary', '', 'Give it away'),
    make('p', 'hint', 'You get a link to send to one person. When they take the ticket, your code is void and theirs is good. A refund would still go to whoever bought it.'),
    button('Make the link', 'quiet', says, async () => {
      const {body} = await call('POST', `/v1/tickets/${ticket.id}/offers`, {body: {}, key, headers});
      changed({...ticket, offer: body});
    }), says);
  return box;
}

/** The ticket is offered: the link to pass on, and the way back. */
function offered(ticket, headers, says, changed) {
  const {offer} = ticket;
  const link = linkOf(offer.code);
  const box = make('div', 'give');
  const buttons = make('div', 'buttons');
  if (navigator.share) {
    buttons.append(button('Send it', 'primary', says, () => navigator.share({title: 'A ticket for you', url: link}).catch(() => {}))); // they changed their mind
  }
  buttons.append(button('Copy the link', navigator.share ? 'quiet' : 'primary', says, async () => {
    says.textContent = await copied(link) ? 'Copied. Send it to one person.' : 'It could not be copied here: mark it and copy it by hand.';
  }), button('Take it back', 'quiet', says, async () => {
    try {
      await call('DELETE', `/v1/tickets/${ticket.id}/offers/${offer.id}`, {headers});
    } catch (problem) {
      if (problem.body?.reason !== 'offer-accepted') throw problem; // somebody was faster
      return changed();
    }
    changed({...ticket, offer: undefined});
  }));
  box.append(...linkField(`link-${ticket.id}`, 'Waiting for whoever takes it. Send them this link', link),
    make('p', 'hint code', `Or tell them the code ${spaced(offer.code)}, for ${location.host}/t/`),
    make('p', 'hint', `It works once, until ${moment(offer.expires_at)}. Until then the ticket is yours.`), buttons, says);
  return box;
}
