// Keeps the visitor's pass alive while they are really here: renewed at two thirds of its life, and only after some sign of a person.

const quiet = 4 * 60_000;

/** Starts renewing for a room; does nothing without one. */
export function keepPass(room) {
  if (!room) return;
  let active = Date.now();
  for (const kind of ['pointerdown', 'keydown', 'wheel', 'touchstart']) addEventListener(kind, () => { active = Date.now(); }, {passive: true});
  const renew = async () => {
    let next = 120;
    if (Date.now() - active < quiet && !document.hidden) {
      try {
        const answer = await fetch(`/.wr/v1/${room}/renew`, {method: 'POST', headers: {'Content-Type': 'application/json', Accept: 'application/json'}, body: '{}'});
        const body = await answer.json();
        if (answer.ok && body.expires_in_s) next = body.expires_in_s * 0.66;
      } catch { /* the next try is soon enough; a hold does not need the pass any more */ }
    } else {
      next = 20;
    }
    setTimeout(renew, Math.max(next, 15) * 1000);
  };
  setTimeout(renew, 90_000);
}

/** Back to the room, which lets the visitor in again or gives them a place. */
export function backToLine() {
  location.assign('/buy/');
}
