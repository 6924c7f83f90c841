// SPDX-License-Identifier: Apache-2.0

const $ = (id) => document.getElementById(id);

// Facts.

function row(name, value) {
  const term = document.createElement('dt');
  const detail = document.createElement('dd');
  term.textContent = name;
  detail.textContent = value;
  return [term, detail];
}

function part(name) {
  const term = document.createElement('dt');
  term.className = 'part';
  term.textContent = name;
  return term;
}

async function facts() {
  const list = $('facts');
  try {
    const response = await fetch('/api/facts');
    if (!response.ok) throw new Error(`The app answered with status ${response.status}.`);
    const facts = await response.json();
    const { identity } = facts;
    $('greeting').textContent = identity ? `Hello, ${identity.name ?? identity.id}.` : 'Hello, stranger.';
    $('runtime').textContent = facts.runtime;
    list.replaceChildren(
      ...row('App', `${facts.app.id} ${facts.app.version}`),
      ...row('Your address', `${facts.remote.ip} (${facts.remote.scheme})`),
      ...row('Signed on as', identity ? identity.id : 'nobody'),
      ...row('Request', `${facts.request.method} ${facts.request.url}`),
      part('Headers'),
      ...facts.headers.flatMap(([name, value]) => row(name, value)),
    );
  } catch (error) {
    list.replaceChildren(...row('The app did not answer', error.message));
    list.querySelector('dd').className = 'bad';
  }
}

// Clock.

const format = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
let source = null;

function startClock() {
  source = new EventSource('/events');
  $('clock-button').textContent = 'Stop';
  $('clock-status').textContent = 'Connecting…';
  source.onmessage = ({ data }) => {
    const { time, count } = JSON.parse(data);
    $('clock').dateTime = time;
    $('clock').textContent = format.format(new Date(time));
    if (count === 1) $('clock-status').textContent = 'Ticking in the app, one event a second.';
  };
  source.onerror = () => ($('clock-status').textContent = 'The connection was lost; trying again…');
}

$('clock-button').addEventListener('click', () => {
  if (source === null) {
    startClock();
    return;
  }
  source.close();
  source = null;
  $('clock-button').textContent = 'Start';
  $('clock-status').textContent = 'Stopped. The app has noticed, and stopped its timer.';
});

// Echo.

const PIECE = 256 * 1024;
const PIECES = 32;

/** Runs `work(show)` with the buttons out of reach. */
async function sending(work) {
  const out = $('echo-out');
  const buttons = $('echo').querySelectorAll('button');
  buttons.forEach((button) => (button.disabled = true));
  out.className = '';
  try {
    await work((text) => (out.textContent = text));
  } catch (error) {
    out.className = 'bad';
    out.textContent = error.message;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

async function echo(body) {
  const response = await fetch('/echo', { method: 'POST', body });
  if (!response.ok) throw new Error(`The app answered with status ${response.status}.`);
  return response;
}

/**
 * A browser reads no answer before it has sent its whole request, while the app answers as it
 * reads: a body larger than what lies in the buffers between them would wait for ever.
 */
async function noise(show) {
  const began = performance.now();
  const piece = new Uint8Array(PIECE);
  let length = 0;
  for (let n = 0; n < PIECES; n++) {
    for (let at = 0; at < PIECE; at += 65536) crypto.getRandomValues(piece.subarray(at, at + 65536));
    const back = new Uint8Array(await (await echo(piece)).arrayBuffer());
    if (back.length !== PIECE || back.some((byte, at) => byte !== piece[at])) {
      throw new Error('What came back is not what was sent.');
    }
    length += back.length;
    show(`${(length / 1048576).toFixed(2)} MiB came back…`);
  }
  const seconds = (performance.now() - began) / 1000;
  show(`${length.toLocaleString()} bytes went there and back in ${seconds.toFixed(2)} s, each the same.`);
}

$('echo').addEventListener('submit', (event) => {
  event.preventDefault();
  sending(async (show) => show(`“${await (await echo($('echo-text').value)).text()}”`));
});

$('echo-big').addEventListener('click', () => sending(noise));

facts();
startClock();
