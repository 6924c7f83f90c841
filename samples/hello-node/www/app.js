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

async function echo(body) {
  const out = $('echo-out');
  const buttons = $('echo').querySelectorAll('button');
  const began = performance.now();
  buttons.forEach((button) => (button.disabled = true));
  out.className = '';
  try {
    const response = await fetch('/echo', { method: 'POST', body });
    if (!response.ok) throw new Error(`The app answered with status ${response.status}.`);
    if (typeof body === 'string') {
      out.textContent = `“${await response.text()}”`;
      return;
    }
    let length = 0;
    for (const reader = response.body.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      out.textContent = `${(length / 1048576).toFixed(1)} MiB came back…`;
    }
    const seconds = (performance.now() - began) / 1000;
    out.textContent = `${length.toLocaleString()} bytes went there and back in ${seconds.toFixed(2)} s.`;
  } catch (error) {
    out.className = 'bad';
    out.textContent = error.message;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

$('echo').addEventListener('submit', (event) => {
  event.preventDefault();
  echo($('echo-text').value);
});

$('echo-big').addEventListener('click', () => {
  const noise = new Uint8Array(8 * 1048576);
  for (let at = 0; at < noise.length; at += 65536) crypto.getRandomValues(noise.subarray(at, at + 65536));
  echo(new Blob([noise]));
});

facts();
startClock();
