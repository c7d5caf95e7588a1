// Opens an order on this device by its link. The secret stands behind the #, so that no server saw it on the way here; it leaves the address at once.
import {keepToken, newKey, post} from './api.js';
import {rememberOrder} from './checkout.js';
import {eventOf} from './page.js';

const link = location.hash.slice(1);
history.replaceState(null, '', location.pathname);

eventOf(document.body.dataset.event); // its name, for the head of the page

function fail(heading, lead) {
  document.getElementById('heading').textContent = heading;
  document.getElementById('lead').textContent = lead;
  document.getElementById('buttons').hidden = false;
}

try {
  if (!link) throw Object.assign(new Error(), {status: 403});
  const {body} = await post('/v1/order-links', {link}, {key: newKey()});
  keepToken(body);
  rememberOrder(body.id);
  location.replace(`/tickets?order=${body.id}`);
} catch (problem) {
  if (problem.status === 410) fail('This link has expired', 'Open your order on the device where you bought, and make a new link there. Or ask whoever sold you the tickets.');
  else if ([400, 403, 404, 422].includes(problem.status)) fail('This is not the whole link', 'It may have been cut off on its way. Copy all of it, up to its end, and open it again.');
  else fail('That did not work', 'The service cannot be reached just now. Your link is still good: open it again in a minute.');
}
