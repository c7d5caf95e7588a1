// The name on a ticket: asked for where the event wants one, changed as often as it may be.
import {call, newKey, tokensOf} from './api.js';
import {explain} from './words.js';

function field(id, name, label, more) {
  return [Object.assign(document.createElement('label'), {htmlFor: id, textContent: label}), Object.assign(document.createElement('input'), {id, name, required: true, maxLength: 200, ...more})];
}

/** A form for the name of a ticket, or nothing when it has none to give. */
export function holderForm(ticket, {event, rules, order, changed}) {
  const first = !ticket.holder;
  if (ticket.state !== 'valid' || rules.names === 'none' || (!first && ticket.name_changes_left < 1)) return null;
  const form = Object.assign(document.createElement('form'), {className: 'holder'});
  form.append(...field(`name-${ticket.id}`, 'name', 'Name of whoever comes with this ticket', {autocomplete: 'name', value: ticket.holder ?? ''}));
  // Where tickets are limited per document, each name comes with one. Only a keyed hash of it is kept.
  if (event.limits?.document) form.append(...field(`document-${ticket.id}`, 'document', 'Number of their passport or identity card', {autocomplete: 'off'}));
  const button = Object.assign(document.createElement('button'), {className: 'button quiet', textContent: first ? 'Put the name on it' : 'Change it'});
  const says = Object.assign(document.createElement('p'), {className: 'hint'});
  says.setAttribute('role', 'status');
  if (!first) says.textContent = `The present code becomes void. ${ticket.name_changes_left} change${ticket.name_changes_left === 1 ? '' : 's'} left.`;
  const key = newKey();
  form.append(button, says);
  const box = document.createElement('details');
  if (!first) {
    box.className = 'rename';
    box.append(Object.assign(document.createElement('summary'), {textContent: 'Change the name'}), form);
  }
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    button.disabled = true;
    try {
      const {body} = await call('PUT', `/v1/tickets/${ticket.id}/holder`, {body: Object.fromEntries(new FormData(form)), key, headers: tokensOf(order?.id, ticket.id)});
      changed(body);
    } catch (problem) {
      says.textContent = problem.body?.errors?.[0]?.detail ?? problem.body?.detail ?? explain(problem);
      button.disabled = false;
    }
  });
  return first ? form : box;
}
