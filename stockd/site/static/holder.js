// The name on a ticket: asked for where the event wants one, changed as often as it may be.
import {call, newKey} from './api.js';
import {explain} from './words.js';

/** A form for the name of a ticket, or nothing when it has none to give. `done` is called with the ticket that takes its place. */
export function holderForm(order, ticket, names, done) {
  const first = !ticket.holder;
  if (ticket.state !== 'valid' || names === 'none' || (!first && ticket.name_changes_left < 1)) return null;
  const form = Object.assign(document.createElement('form'), {className: 'holder'});
  const id = `name-${ticket.id}`;
  const label = Object.assign(document.createElement('label'), {htmlFor: id, textContent: first ? 'Name of whoever comes with this ticket' : 'Change the name'});
  const input = Object.assign(document.createElement('input'), {id, name: 'name', required: true, maxLength: 200, autocomplete: 'name', value: ticket.holder ?? ''});
  const button = Object.assign(document.createElement('button'), {className: 'button quiet', textContent: first ? 'Put the name on it' : 'Change it'});
  const says = Object.assign(document.createElement('p'), {className: 'kind'});
  says.setAttribute('role', 'status');
  if (!first) says.textContent = `The present code becomes void. ${ticket.name_changes_left} change${ticket.name_changes_left === 1 ? '' : 's'} left.`;
  const key = newKey();
  form.append(label, input, button, says);
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    button.disabled = true;
    try {
      const {body} = await call('PUT', `/v1/orders/${order}/tickets/${ticket.id}/holder`, {body: {name: input.value}, key});
      done(body);
    } catch (problem) {
      says.textContent = problem.body?.errors?.[0]?.detail ?? problem.body?.detail ?? explain(problem);
      button.disabled = false;
    }
  });
  return form;
}
