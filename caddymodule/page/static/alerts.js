// Ways to call a visitor who looks elsewhere: a sound, a notification, the title. All of them are off until asked for, except the title.

let audio = null;
let blink = 0;

/** Two soft notes; works only after the visitor pressed the sound button, as browsers demand. */
export function chime() {
  if (!audio) return;
  [[0, 660], [0.18, 880]].forEach(([after, pitch]) => {
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    const at = audio.currentTime + after;
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.2, at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.6);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.65);
  });
}

/** Whether the browser has notifications and its owner has not forbidden them. */
export const canNotify = () => 'Notification' in window && Notification.permission !== 'denied';

/** Wires the two buttons. */
export function setUp(soundButton, notifyButton) {
  soundButton.addEventListener('click', () => {
    const on = soundButton.getAttribute('aria-pressed') !== 'true';
    soundButton.setAttribute('aria-pressed', on);
    if (on && window.AudioContext) {
      audio = new AudioContext();
      chime();
    } else {
      audio?.close();
      audio = null;
    }
  });
  notifyButton.hidden = !canNotify();
  notifyButton.addEventListener('click', async () => {
    const on = notifyButton.getAttribute('aria-pressed') !== 'true';
    const allowed = on && (await Notification.requestPermission()) === 'granted';
    notifyButton.setAttribute('aria-pressed', allowed);
  });
}

/** Calls for the visitor's turn. */
export function call(t, room, notifyButton) {
  chime();
  if (document.hidden && notifyButton.getAttribute('aria-pressed') === 'true') {
    // Some phones have Notification but forbid its constructor; the title and the sound remain.
    try {
      const note = new Notification(t.turn_title, {body: t.turn_note, tag: 'waiting-room'});
      note.onclick = () => { window.focus(); note.close(); };
    } catch { /* nothing to add */ }
  }
  clearInterval(blink);
  const texts = [`● ${t.turn_title}`, room];
  document.title = texts[0];
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) {
    blink = setInterval(() => { document.title = texts.reverse()[0]; }, 1200);
  }
}

/** Stops calling; the title is set by whoever shows the next state. */
export function calm() {
  clearInterval(blink);
}
