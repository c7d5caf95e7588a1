// A link for somebody to pass on: shown, and copied where that is possible.

/** Copies a text; says whether that went. Without https there is no clipboard. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch { return false; }
}

/** A label and a field with the link in it, which marks all of it when somebody goes there. */
export function linkField(id, label, url) {
  const field = Object.assign(document.createElement('input'), {id, readOnly: true, value: url, className: 'link'});
  field.addEventListener('focus', () => field.select());
  return [Object.assign(document.createElement('label'), {htmlFor: id, textContent: label}), field];
}
