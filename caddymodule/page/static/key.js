// The key of this browser: its private half is made here and cannot be taken out, not even by this page. A place is bound to it, and each claim
// signs a challenge of the server's with it. Where there are no keys, or none can be kept, the place is unbound and hangs on its cookie.

const answer = (request) => new Promise((ok, no) => {
  request.onsuccess = () => ok(request.result);
  request.onerror = () => no(request.error);
  request.onblocked = () => no(new Error('blocked'));
});

const base64 = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

/** Keeps the first of what several tabs made. */
async function keep(db, fresh) {
  const keys = db.transaction('keys', 'readwrite').objectStore('keys');
  const old = await answer(keys.get('place'));
  if (old || !fresh) return old;
  await answer(keys.put(fresh, 'place'));
  return fresh;
}

async function open() {
  const request = indexedDB.open('waiting-room', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('keys');
  const db = await answer(request);
  const algorithm = {name: 'ECDSA', namedCurve: 'P-256'};
  const pair = await keep(db) || await keep(db, await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']));
  db.close();
  return {
    text: base64(await crypto.subtle.exportKey('raw', pair.publicKey)),
    sign: async (challenge, what = 'claim') => base64(await crypto.subtle.sign(
      {name: 'ECDSA', hash: 'SHA-256'}, pair.privateKey, new TextEncoder().encode(`ticketrush/${what}/v1\n${challenge}`))),
  };
}

/** The browser's key as {text, sign}, or null. */
export const deviceKey = () => (globalThis.crypto?.subtle && globalThis.indexedDB ? open().catch(() => null) : Promise.resolve(null));
