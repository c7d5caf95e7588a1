// A place that goes on on another device: the code that this one shows, or the code that somebody types here. page.js does the asking.
import {t as texts} from './view.js';

const {default: own} = await import(`./hand.${document.documentElement.lang}.js`);
const t = {...texts, ...own};

const reasons = {'handover-code': 'hand_wrong', 'place-inside': 'hand_inside', 'handover-limit': 'hand_limit', 'place-moved': 'p_moved'};
const words = (problem) => t[reasons[problem.kind]] || t.busy;

const make = (tag, props, ...inside) => {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...inside);
  return made;
};
const button = (textContent, onclick, className = 'toggle') => make('button', {type: 'button', className, textContent, onclick});

/** Opens a dialog, in place of an earlier one. */
function open(title, text, closed, ...inside) {
  document.getElementById('hand-box')?.close();
  const box = make('dialog', {id: 'hand-box'}, make('h2', {id: 'hand-h', textContent: title}), make('p', {textContent: text}), ...inside);
  box.setAttribute('aria-labelledby', 'hand-h');
  box.addEventListener('close', () => { box.remove(); closed(); });
  document.body.append(box);
  box.showModal();
  return box;
}

/** Shows a code for this place, and looks now and then whether somebody has used it: then offer shows what that means. */
export async function show(offer, closed) {
  let box;
  const close = button(t.hand_close, () => box.close());
  const found = await offer().catch((problem) => { box = open(t.other, words(problem), closed, close); });
  if (!found) return;
  const copy = button(t.hand_link, async () => {
    try {
      await navigator.clipboard.writeText(found.link);
      copy.textContent = t.copied;
    } catch { getSelection().selectAllChildren(link); }
  });
  const link = make('a', {href: found.link, textContent: found.link, dir: 'ltr'});
  const code = make('p', {className: 'hand-code', textContent: found.code, dir: 'ltr'});
  const picture = found.qr ? [make('img', {className: 'hand-qr', src: found.qr, alt: ''})] : []; // the link says the same
  box = open(t.h_code, t.p_code, closed, code, ...picture, make('p', {className: 'fine'}, link), make('div', {className: 'actions'}, copy, close));
  for (const ends = Date.now() + found.expires_in_s * 1000; Date.now() < ends;) {
    await new Promise((next) => { setTimeout(next, 4000 + Math.random() * 2000); });
    const problem = await offer(found.code).then(() => null, (e) => e);
    if (reasons[problem?.kind]) break; // it was used, or there is a newer one
  }
  box.close();
}

/** Asks for a code, and takes its place over. */
export function ask(take, closed, code = '') {
  const input = make('input', {id: 'hand-in', value: code, required: true, autocomplete: 'off', spellcheck: false, dir: 'ltr'});
  input.setAttribute('autocapitalize', 'characters');
  const bad = make('p', {className: 'note trouble', hidden: true});
  bad.setAttribute('role', 'alert');
  const form = make('form', {}, make('label', {htmlFor: 'hand-in', textContent: t.hand_code}), input, bad, make('div', {className: 'actions'},
    make('button', {className: 'primary', textContent: t.hand_take}), button(t.hand_close, () => box.close())));
  const box = open(t.hand_h, t.hand_p, closed, form);
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    bad.hidden = true;
    try {
      await take(input.value);
      box.close();
    } catch (problem) {
      bad.hidden = false;
      bad.textContent = words(problem);
      input.select();
    }
  });
}
