// The one place where the shop speaks up: a text, and buttons that lead out of the trouble.

const box = document.getElementById('notice');

/** Shows a text, with ways out as [label, action]; an empty text hides it. */
export function notice(text, {bad = false, ways = []} = {}) {
  box.hidden = !text;
  box.classList.toggle('bad', bad);
  if (!text) return;
  const buttons = Object.assign(document.createElement('div'), {className: 'buttons'});
  for (const [label, action] of ways) {
    const button = Object.assign(document.createElement('button'), {type: 'button', className: 'button', textContent: label});
    button.addEventListener('click', action);
    buttons.append(button);
  }
  box.replaceChildren(Object.assign(document.createElement('p'), {textContent: text}), ...(ways.length ? [buttons] : []));
  box.scrollIntoView({block: 'nearest'});
}
