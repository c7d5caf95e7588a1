// The page of a gate. Codes come from the camera, from a scanner that types lines, or by hand; the verdict is the gate's, this page only shows it.
const $ = (id) => document.getElementById(id);
const marks = {green: 'OK', amber: 'Stop and look', red: 'No entry'};
const names = {again: 'Scanned before', clock: 'Check the clock', revoked: 'Void', forged: 'Forged', late: 'Too late', early: 'Too early', 'wrong-event': 'Other event', unreadable: 'Cannot read'};

let asked = 0;

function show(colour, mark, text, facts = []) {
  $('verdict').className = `verdict ${colour}`;
  $('mark').textContent = mark;
  $('text').textContent = text;
  $('facts').replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) => [
    Object.assign(document.createElement('dt'), {textContent: name}), Object.assign(document.createElement('dd'), {textContent: value})]));
}

/** A text without the words that stand over it already in large letters. */
const without = (text, mark) => (text.startsWith(`${mark}: `) ? text.charAt(mark.length + 2).toUpperCase() + text.slice(mark.length + 3) : text);

/** Asks the gate about a code, and shows the answer unless another code came meanwhile. */
async function check(code) {
  const turn = ++asked;
  show('idle', '…', 'Checking');
  try {
    const answer = await fetch('check', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({code})});
    const v = await answer.json();
    if (turn !== asked) return;
    if (!answer.ok) throw new Error(v.error);
    const mark = names[v.result] ?? marks[v.colour];
    show(v.colour, mark, without(v.text, mark), [['Place', v.seat], ['Type', v.type], ['Name', v.holder]]);
    $('count').textContent = v.inside;
    navigator.vibrate?.(v.colour === 'green' ? 80 : [200, 80, 200]);
  } catch (problem) {
    if (turn === asked) show('red', 'Not checked', `${problem.message}. Let nobody in by this; is the gate's program running?`);
  }
}

$('form').addEventListener('submit', (e) => {
  e.preventDefault();
  const code = $('code').value.trim();
  $('code').value = '';
  $('code').focus();
  if (code) check(code);
});

/** Finds codes in a picture: by the browser's own reader, where there is one, else by the small one that comes with this page (QR only). */
async function reader() {
  if ('BarcodeDetector' in window) {
    const formats = (await window.BarcodeDetector.getSupportedFormats()).filter((f) => ['qr_code', 'aztec'].includes(f));
    if (formats.includes('qr_code')) {
      const detector = new window.BarcodeDetector({formats});
      return async (video) => (await detector.detect(video))[0]?.rawValue;
    }
  }
  const {default: decode} = await import('./qr/decode.js');
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', {willReadFrequently: true});
  return async (video) => {
    const scale = Math.min(1, 800 / video.videoWidth);
    canvas.width = video.videoWidth * scale;
    canvas.height = video.videoHeight * scale;
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    try { return decode(context.getImageData(0, 0, canvas.width, canvas.height)); } catch { return undefined; } // no code in the picture
  };
}

let stream = null;

async function watch() {
  const read = await reader();
  let last = '';
  let gone = 0;
  while (stream) {
    const code = $('video').videoWidth ? await read($('video')) : undefined;
    // One ticket held up for a while is one scan: it has to leave the picture before it counts again.
    gone = code ? 0 : gone + 1;
    if (gone > 10) last = '';
    if (code && code !== last) {
      last = code;
      await check(code);
    }
    await new Promise((done) => { setTimeout(done, 120); });
  }
}

function stop() {
  stream?.getTracks().forEach((t) => t.stop());
  stream = null;
  $('video').hidden = $('stop').hidden = true;
  $('start').hidden = false;
  $('camera-says').textContent = '';
}

$('stop').addEventListener('click', stop);
$('start').addEventListener('click', async () => {
  try {
    if (!navigator.mediaDevices) throw new Error('this page is not on 127.0.0.1, localhost or https');
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment', width: {ideal: 1280}}});
    $('video').srcObject = stream;
    $('video').hidden = $('stop').hidden = false;
    $('start').hidden = true;
    await $('video').play();
    watch();
  } catch (problem) {
    stop();
    $('camera-says').textContent = `The camera cannot be used: ${problem.message}. Type the code, or use a scanner.`;
  }
});

/** The list of void tickets gets old while there is no network. */
async function age() {
  try {
    const state = await (await fetch('state')).json();
    $('age').textContent = `List of void tickets as of ${state.as_of}${state.old ? '. It is old: fetch it again.' : ''}`;
    $('age').classList.toggle('old', state.old);
    $('count').textContent = state.inside;
  } catch { $('age').textContent = 'The gate\'s program does not answer.'; }
}

setInterval(age, 30000);
age();
$('code').focus();
