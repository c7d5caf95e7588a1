// Takes a ticket that somebody gives away, by their link or their code. The code stands behind the #, so that no server saw it on the way here; it
// leaves the address at once, and is kept in this tab for a reload.
import {accountHeader, signInAt} from './account.js';
import {keepToken, newKey, post} from './api.js';
import {$, buttons, eventOf, say} from './page.js';
import {forgetTaking, rememberTaking, rememberTicket, takingKeyOf} from './received.js';
import {ticketText} from './ticket.js';
import {explain, moment} from './words.js';

const tabKey = 'offered_code';

const plain = (code) => code.replace(/[\s-]/g, '').toUpperCase();

function keep(code) {
  try {
    if (code) sessionStorage.setItem(tabKey, code);
    else sessionStorage.removeItem(tabKey);
  } catch { /* then a reload asks for the code */ }
}

function kept() {
  try { return sessionStorage.getItem(tabKey) ?? ''; } catch { return ''; }
}

const refusals = {
  'offer-accepted': ['This ticket was taken', 'The link works once, and somebody has used it. If that was you, open “Find my tickets” in the browser in which you took it.'],
  'offer-over': ['This offer has ended', 'Its time is over, or it was taken back. Ask whoever sent it to you for a new one.'],
  void: ['This ticket is void', 'Since it was offered to you its money was given back, or another ticket took its place. Ask whoever sent it to you.'],
  order: ['This ticket stays where it is', 'Its payment is under dispute, or its order has ended. Ask whoever sent it to you.'],
};

/** Says why there is nothing to take, and asks for another code. */
function refuse(problem) {
  keep('');
  $('tickets').replaceChildren();
  const words = refusals[problem.body?.reason];
  if (words) {
    say(...words);
    return buttons([['Find my tickets', '/tickets'], ['To the event', '/', true]]);
  }
  if (problem.status === 404 || problem.kind === 'invalid') return ask('We do not know this code', 'A letter may be wrong, or missing. Compare it with what you were sent.');
  say('That did not work', explain(problem));
  return buttons([['Try again', () => look(plain($('code').value))]]);
}

/** Asks for a code. */
function ask(heading, lead) {
  say(heading, lead);
  $('form').hidden = false;
  buttons([]);
  $('code').focus();
}

/** Shows what a code is for. */
async function look(code) {
  $('code').value = code;
  keep(code);
  let offered;
  try {
    ({body: offered} = await post('/v1/ticket-offers', {code}));
  } catch (problem) {
    // Taken from here, and the answer was lost: the same request again gets the ticket.
    if (problem.body?.reason === 'offer-accepted' && takingKeyOf(code)) return take(code);
    return refuse(problem);
  }
  $('form').hidden = true;
  const event = await eventOf(offered.event);
  const li = Object.assign(document.createElement('li'), {className: 'ticket'});
  li.append(ticketText(offered, event));
  $('tickets').replaceChildren(li);
  const name = {required: ' It then needs the name of whoever comes with it.', optional: ' You may put a name on it then.'}[offered.names] ?? '';
  say('A ticket for you', `Somebody gives you this ticket. When you take it, it is yours, and their code is void.${name} The offer is open until ${moment(offered.offer.expires_at)}.`);
  const account = offered.needs_account ? await accountHeader() : {};
  if (offered.needs_account && !account['X-Account-Token']) return signIn();
  return buttons([['Take the ticket', () => take(code)], ['No, thank you', '/', true]]);
}

/** A ticket goes from one account to another. */
function signIn() {
  say('A ticket for you', 'Tickets of this event belong to accounts. Sign in, or make an account, and you come back here to take it.');
  buttons([...(signInAt() ? [['Sign in', signInAt()]] : []), ['No, thank you', '/', true]]);
}

/** Takes the ticket, under one key however often it is tried. */
async function take(code) {
  const key = takingKeyOf(code) ?? newKey();
  rememberTaking(code, key);
  try {
    const {body} = await post('/v1/ticket-transfers', {code}, {key, headers: await accountHeader()});
    keepToken(body);
    rememberTicket(body.id);
    forgetTaking(code);
    keep('');
    location.replace(`/tickets?ticket=${body.id}`);
  } catch (problem) {
    if (problem.kind === 'account-token') return signIn();
    return refuse(problem);
  }
}

$('form').addEventListener('submit', (e) => {
  e.preventDefault();
  look(plain($('code').value));
});

eventOf(document.body.dataset.event); // until the ticket's own is known
const given = plain(decodeURIComponent(location.hash.slice(1)));
history.replaceState(null, '', location.pathname);
addEventListener('hashchange', () => location.reload()); // another link in the same tab
if (given || kept()) look(given || kept());
else ask('Take a ticket', 'Somebody gives you a ticket? Type the code that they told you.');
