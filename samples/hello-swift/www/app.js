// SPDX-License-Identifier: Apache-2.0

const $ = (id) => document.getElementById(id);

async function ask(path, method = 'GET') {
  const response = await fetch(path, { method });
  if (!response.ok) throw new Error(`The app answered with status ${response.status}.`);
  return response.json();
}

async function greet() {
  try {
    const { greeting, remote, host, language } = await ask('/api/hello');
    $('greeting').textContent = greeting;
    $('facts').textContent = `Written in ${language}, served at ${host} to ${remote}.`;
  } catch (error) {
    $('facts').textContent = error.message;
    $('facts').classList.add('bad');
  }
}

async function count(method) {
  $('add').disabled = true;
  try {
    const { visits } = await ask('/api/visits', method);
    $('count').textContent = visits.toLocaleString();
    $('note').classList.remove('bad');
    $('note').textContent = method === 'POST' ? 'Written to disk. Thank you.'
      : "Counted in the app's own SQLite database.";
  } catch (error) {
    $('note').textContent = error.message;
    $('note').classList.add('bad');
  } finally {
    $('add').disabled = false;
  }
}

$('add').addEventListener('click', () => count('POST'));
greet();
count('GET');
