// A hold: seats that are this visitor's until a deadline. It survives a reload and a closed tab, and all tabs show the same one; the server
// decides when it is over.
import {accountHeader} from './account.js';
import {del, get, keepToken, newKey, patch, post} from './api.js';

const storeKey = (event) => `hold_of_${event}`;

function remember(event, id) {
  try {
    if (id) localStorage.setItem(storeKey(event), id);
    else localStorage.removeItem(storeKey(event));
  } catch { /* then a reload forgets the hold, and its deadline frees it */ }
}

/** Calls back with whether there is a hold when another tab took one or let one go. */
export function onOtherTab(event, changed) {
  addEventListener('storage', (e) => { if (e.key === storeKey(event) || e.key === null) changed(Boolean(e.newValue)); });
}

/** Deadlines come as seconds left, so a wrong clock of the visitor's device does not matter. */
function withDeadline(hold) {
  return {...hold, ends: performance.now() + 1000 * (hold.expires_in_s ?? 0)};
}

/** Takes seats. `wish` is the body of the API: items or best_available. */
export async function take(event, wish) {
  const {body} = await post(`/v1/events/${event}/holds`, wish, {key: newKey(), headers: await accountHeader()});
  keepToken(body);
  remember(event, body.id);
  return withDeadline(body);
}

/** The hold that this browser has, as the server sees it now, or null. What could not be asked is thrown, and not forgotten. */
export async function resume(event) {
  let id = null;
  try { id = localStorage.getItem(storeKey(event)); } catch { return null; }
  if (!id) return null;
  try {
    const {body} = await get(`/v1/holds/${id}`);
    if (body.state !== 'sold' && (body.state !== 'held' || body.expires_in_s > 0)) return withDeadline({...body, id});
  } catch (e) {
    if (![401, 403, 404, 410].includes(e.status)) throw e;
  }
  remember(event, null);
  return null;
}

/** Asks for more time; gives the hold with its new deadline. */
export async function extend(hold) {
  const {body} = await patch(`/v1/holds/${hold.id}`, {extend: true});
  return withDeadline({...hold, ...body});
}

export async function release(event, hold) {
  remember(event, null);
  await del(`/v1/holds/${hold.id}`).catch((e) => { if (![404, 410].includes(e.status)) throw e; });
}

/** Forgets a hold that is over. */
export const forget = (event) => remember(event, null);
