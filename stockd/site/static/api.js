// One call of the public API: problem documents become errors, moments of "not now" are waited out, writes carry an idempotency key.

/** What the API refused, as its problem document says it. `kind` is the last part of the problem's type, for example "seat-taken". */
export class Problem extends Error {
  constructor(status, body = {}) {
    super(body.title || `The service answered ${status}.`);
    this.status = status;
    this.body = body;
    this.kind = (body.type || '').split('/').pop() || (status === 0 ? 'offline' : String(status));
  }
}

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

/** A fresh idempotency key. Keep it for as long as one wish of the visitor lasts: a repeated call then cannot do it twice. */
export const newKey = () => crypto.randomUUID?.() ?? '10000000-1000-4000-8000-100000000000'.replace(/[018]/g,
  (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

const headerOf = {hold: 'X-Hold-Token', ord: 'X-Order-Token', tkt: 'X-Ticket-Token'};

/**
 * What opens a hold, an order or a ticket. The API keeps their tokens in HttpOnly cookies; where cookies are blocked, those that this tab was given
 * stand in for them. A ticket is opened by its order's token until it changes hands, and by its own from then on.
 */
export function tokensOf(...ids) {
  const headers = {};
  try {
    for (const id of ids.filter(Boolean)) {
      const token = sessionStorage.getItem(`token_${id}`);
      if (token) headers[headerOf[id.split('_')[0]]] = token;
    }
  } catch { /* storage is forbidden: cookies alone */ }
  return headers;
}

/** Remembers a token from an answer. */
export function keepToken(answer) {
  if (!answer.token || !answer.id) return;
  try { sessionStorage.setItem(`token_${answer.id}`, answer.token); } catch { /* as above */ }
}

/** Milliseconds after which the server wants to be asked again, or null when it does not want that. */
function retryAfter(answer, attempt) {
  if (![409, 425, 429, 502, 503, 504].includes(answer.status)) return null;
  const exact = Number(answer.headers.get('X-Stockd-Retry-After-Ms'));
  const whole = Number(answer.headers.get('Retry-After')) * 1000;
  if (answer.status === 409 && !whole) return null; // a conflict of states is an answer, a key in flight is not
  if (answer.status === 429 && whole > 3000) return null;
  return (exact || whole || 200 * 2 ** attempt) * (0.75 + Math.random() * 0.5);
}

/**
 * Calls the API and gives the answer's JSON with `status` and `headers` beside it, not in it: {status, headers, body}.
 * Repeats up to five times what is safe to repeat: reads, and writes by their key.
 */
export async function call(method, path, {body, key, headers, signal} = {}) {
  const write = method !== 'GET';
  const send = {
    method, signal, credentials: 'same-origin',
    headers: {
      Accept: 'application/json', ...tokensOf(path.match(/^\/v1\/(?:holds|orders|tickets)\/([^/?.]+)/)?.[1]), ...(write && {'Idempotency-Key': key || newKey()}),
      ...(body !== undefined && {'Content-Type': 'application/json'}), ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  };
  for (let attempt = 0; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(path, send);
    } catch (e) {
      if (signal?.aborted) throw e;
      if (attempt >= 4) throw new Problem(0, {title: 'The connection was lost.'});
      await sleep(300 * 2 ** attempt);
      continue;
    }
    const wait = answer.ok || attempt >= 5 ? null : retryAfter(answer, attempt);
    if (wait !== null && wait < 5000) {
      await sleep(wait);
      continue;
    }
    return read(answer);
  }
}

async function read(answer) {
  const text = await answer.text();
  let body;
  try { body = text ? JSON.parse(text) : {}; } catch { body = {}; }
  if (!answer.ok) throw new Problem(answer.status, body);
  return {status: answer.status, headers: answer.headers, body};
}

export const get = (path, options) => call('GET', path, options);
export const post = (path, body, options) => call('POST', path, {...options, body});
export const patch = (path, body, options) => call('PATCH', path, {...options, body});
export const del = (path, options) => call('DELETE', path, options);
