// The draw, as this visitor can check it: what was published before it, the receipt, and the words for the outcome.

/** The receipt of the visitor's place; null where the place was not drawn. */
export async function receipt(ask) {
  try {
    return await ask('GET', 'receipt');
  } catch (e) {
    if (e.status === 404) return null;
    throw e;
  }
}

/** "14,322nd of 812,004", or its like. */
export function ordinal(t, number, lang, ordinalNumber, of) {
  const form = new Intl.PluralRules(lang, {type: 'ordinal'}).select(ordinalNumber);
  const rank = (t[`ord_${form}`] || t.ord_other).replace('{n}', number(ordinalNumber));
  return t.drawn_rank.replace('{rank}', rank).replace('{n}', number(of));
}

/** Checks a receipt here: that it is this place's, and right by itself and by what this browser saw before the draw. Gives {ok, text}. */
export async function check(t, found, place, room, known) {
  const {verify} = await import('./verify.js');
  const own = found.tid === place.tid && found.rank === String(place.rank) && found.room === room;
  const {ok, step} = own ? await verify(found, known) : {ok: false, step: 'place'};
  if (!ok) return {ok, text: t.unverified.replace('{step}', step)};
  const source = found.beacon.source;
  return {ok, text: `${t.verified} ${source ? t.verified_beacon.replace('{source}', source) : t.verified_operator}`};
}
