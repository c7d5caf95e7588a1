// Tickets that were given to this browser. Ids only: what opens them is in cookies.

const storeKey = 'tickets';
const takingKey = 'taking';
const ticketsMax = 40;

function read(key) {
  try {
    const list = JSON.parse(localStorage.getItem(key) || '[]');
    return Array.isArray(list) ? list : [];
  } catch { return []; }
}

function write(key, list) {
  try { localStorage.setItem(key, JSON.stringify(list.slice(0, ticketsMax))); } catch { /* then only its address finds it */ }
}

/** The tickets, the newest first. */
export const knownTickets = () => read(storeKey).filter((id) => /^tkt_[0-9a-f-]{36}$/.test(id));

/** Keeps a ticket; one that took the place of another stands where that one stood. */
export function rememberTicket(id, instead) {
  const list = knownTickets().filter((other) => other !== id);
  write(storeKey, list.includes(instead) ? list.map((other) => (other === instead ? id : other)) : [id, ...list]);
}

/** The key under which this browser takes the ticket of a code, if it has tried before. */
export const takingKeyOf = (code) => read(takingKey).find(([of]) => of === code)?.[1];

/** Keeps that key before it is used: when the answer is lost, the same request gets the same ticket, and no other could. */
export const rememberTaking = (code, key) => write(takingKey, [[code, key], ...read(takingKey).filter(([of]) => of !== code)]);

/** Forgets it when the ticket is here. */
export const forgetTaking = (code) => write(takingKey, read(takingKey).filter(([of]) => of !== code));
