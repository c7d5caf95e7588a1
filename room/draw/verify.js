// The rule is in doc.go; known = {commitment, root}, as published before. Not checked: drand's signature, the ordinal.
const unhex = (s, n) => {
  if (s.length !== 2 * n || !/^([0-9a-f]{2})+$/.test(s)) throw 0;
  return s.match(/../g).map((x) => parseInt(x, 16));
};
const hex = (b) => b.map((x) => x.toString(16).padStart(2, '0')).join('');
const sha = async (...parts) => [...new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(parts.flat())))];
const count = (n, max = 2 ** 53) => {
  if (!Number.isSafeInteger(n) || n < 0 || n > max) throw 0;
  return n;
};
const u64 = (n) => unhex(count(n).toString(16).padStart(16, '0'), 8);
const str = (s) => {
  if (typeof s !== 'string') throw 0;
  const b = new TextEncoder().encode(s);
  return [...u64(b.length), ...b];
};

const parse = (r) => {
  const { source, round, value, signature = '' } = r.beacon;
  const drand = source === 'drand/quicknet';
  const path = r.path.map((p) => {
    const b = [...atob(p)];
    if (b.length !== 32 || btoa(b.join('')) !== p) throw 0;
    return b.map((c) => c.charCodeAt());
  });
  if (
    r.format !== 'ticketrush-receipt/1' || r.rule !== 'ticketrush/draw/v1' || !r.room ||
    (source ? !value : round || value) || (signature && !drand)
  ) throw 0;
  count(r.edition, 65535);
  count(r.n, 2 ** 24);
  count(r.ordinal);
  unhex(r.commitment, 32);
  const secret = unhex(r.secret, 32);
  const seed = [str(r.rule), str(r.room), u64(r.edition), secret, unhex(r.root, 32), u64(r.n), str(source), u64(round), str(value)];
  return { path, secret, seed, at: count(r.index), tid: unhex(r.tid, 16), sig: drand && unhex(signature, signature.length / 2) };
};

// From the leaf to the root as RFC 9162, 2.1.3.2.
const climb = async ({ at, path, tid }, n) => {
  let last = n - 1;
  let hash = await sha(0, tid);
  if (at > last) return '';
  for (const next of path) {
    if (!last) return '';
    const right = at % 2 || at === last;
    hash = await (right ? sha(1, next, hash) : sha(1, hash, next));
    if (right) for (; at && at % 2 === 0; last >>= 1) at >>= 1;
    at >>= 1;
    last >>= 1;
  }
  return last ? '' : hex(hash);
};

const fault = async (r, known) => {
  let p;
  try { p = parse(r); } catch { return 'format'; }
  for (const k of ['commitment', 'root']) if (known[k] && known[k] !== r[k]) return k;
  if (hex(await sha(p.secret)) !== r.commitment) return 'secret';
  if (p.sig && hex(await sha(p.sig)) !== r.beacon.value) return 'beacon';
  if ((await climb(p, r.n)) !== r.root) return 'inclusion';
  const seed = Uint8Array.from(await sha(p.seed.flat()));
  const key = await crypto.subtle.importKey('raw', seed, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const mac = new DataView(await crypto.subtle.sign('HMAC', key, Uint8Array.from(p.tid))).getBigUint64(0);
  if (r.rank !== String((1n << 61n) | (mac >> 3n))) return 'rank';
  return r.ordinal < 1 || r.ordinal > r.n ? 'ordinal' : '';
};

export async function verify(receipt, known = {}) {
  const step = await fault(receipt, known);
  return { ok: !step, step };
}
