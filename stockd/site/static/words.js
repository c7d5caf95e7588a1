// Money, time and problems, said for people.

export function money(minor, currency) {
  const format = new Intl.NumberFormat(undefined, {style: 'currency', currency: currency || 'EUR'});
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(minor / 10 ** digits);
}

/** The whole price of a seat in minor units, fees and tax included: nobody is told less than what they pay. */
export const priceOf = (p) => (p ? (p.face || 0) + (p.fee || 0) + (p.tax || 0) : 0);

export const clock = (seconds) => {
  const s = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
};

const dayFormat = {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit'};

/** A date as the clock on the venue's wall shows it, when its offset is given; doors open at that time wherever the reader is. */
export function day(iso) {
  if (!iso) return '';
  const [, sign, hours, minutes] = iso.match(/([+-])(\d\d):(\d\d)$/) || [];
  const shift = sign ? (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000 : null;
  return new Intl.DateTimeFormat(undefined, {...dayFormat, ...(shift !== null && {timeZone: 'UTC'})}).format(new Date(Date.parse(iso) + (shift ?? 0)));
}

/** A moment in the reader's own time. */
export const moment = (iso) => new Intl.DateTimeFormat(undefined, {...dayFormat, timeZoneName: 'short'}).format(new Date(iso));

const minutes = (s) => (s < 90 ? 'about a minute' : `about ${Math.round(s / 60)} minutes`);

function notOnSale(b) {
  if (b.opens_at) return `The sale opens on ${moment(b.opens_at)}.`;
  if (b.state === 'paused') return 'Sales are paused for a moment. Seats that you hold stay yours, and can be paid for. We tell you here when it goes on.';
  if (b.state === 'closed') return 'This sale is over. Seats that you hold can still be paid for.';
  return 'This event is not on sale at the moment.';
}

const holders = {account: 'Your account holds', document: 'One of the documents stands for'};

function limitReached(b) {
  if (b.used === undefined) return `At most ${b.limit} tickets per person for this event.`;
  return `${holders[b.dimension] ?? 'You hold'} ${b.used} of at most ${b.limit}${b.used < b.limit ? ': choose fewer' : ''}.`;
}

const texts = {
  'seat-taken': (b) => `Somebody was faster for ${b.gone?.length ? b.gone.join(', ') : 'at least one of these seats'}. The map is up to date again.`,
  'sold-out': () => 'That is sold out. Another category or fewer tickets may still work.',
  'all-held': (b) => `Everything that fits is in somebody’s hands right now. ${b.free_estimate_s ? `Some may come back in ${minutes(b.free_estimate_s)}.` : 'Some may come back soon, so do look again.'}`,
  'not-together': (b) => `We cannot find that many seats side by side.${b.largest_run ? ` The longest free run is ${b.largest_run}.` : ''}`,
  'would-orphan': () => 'That would leave a single seat behind. Please move by one seat.',
  'limit-reached': (b) => limitReached(b),
  'hold-expired': () => 'The time was up, so your seats are free again. Look for new ones.',
  'hold-not-yours': () => 'These seats belong to another browser. Use the one in which you chose them.',
  'illegal-transition': (b) => `That is not possible any more${b.from ? `: your order is “${b.from.replace('_', ' ')}”` : ''}.`,
  'not-on-sale': (b) => notOnSale(b),
  'admission-required': () => 'Your time in the shop is over. We are taking you back to the line.',
  'segment-moving': () => 'This part of the house is busy. Please try again in a moment.',
  'ledger-unavailable': () => 'We cannot book anything at the moment. Nothing is lost; please try again in a moment.',
  overloaded: () => 'Very many people are choosing at this moment. Please try again in a few seconds.',
  'limit-busy': () => 'Your last click is still being worked on. Please try again in a moment.',
  'rate-limited': () => 'That was a lot of clicks. Please wait a few seconds.',
  'payment-mismatch': () => 'The payment does not fit the order. You have not been charged for anything that you do not get.',
  'key-in-flight': () => 'Your last click is still being worked on. One moment.',
  invalid: (b) => b.detail || b.errors?.[0]?.detail || 'Something in the form is not right.',
  offline: () => 'The connection was lost. Check it and try again.',
};

/** Words for whatever went wrong in a call. */
export function explain(problem) {
  const text = texts[problem.kind];
  if (text) return text(problem.body);
  if (problem.status >= 500) return 'The service has trouble at the moment. Nothing is lost; please try again.';
  return problem.body?.detail || problem.message;
}
