// Whose account a visitor has. The shop has none of its own: where the organiser's site has accounts, it names an address of that site that answers
// with the token of whoever is signed in there, and one where people sign in.

const {account, signIn} = document.body.dataset;

/** Where people sign in and come back to this page; null where there are no accounts. */
export const signInAt = () => (signIn ? `${signIn}${signIn.includes('?') ? '&' : '?'}return=${encodeURIComponent(location.pathname + location.search)}` : null);

/** The header that names the visitor's account; nothing when nobody is signed in, or there are no accounts. */
export async function accountHeader() {
  if (!account) return {};
  const answer = await fetch(account, {credentials: 'same-origin', headers: {Accept: 'application/jwt'}, cache: 'no-store'}).catch(() => null);
  const token = answer?.ok ? (await answer.text()).trim() : '';
  return token ? {'X-Account-Token': token} : {};
}
