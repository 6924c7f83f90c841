// SPDX-License-Identifier: Apache-2.0

const $ = (id) => document.getElementById(id);
const list = $('entries');
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

let words = '';
let next = null;
let turn = 0; // Answers to earlier searches come too late to be shown.

let token = null; // What a write must carry: only this site's pages can ask for it.

async function ask(method, path, body) {
  const writes = method !== 'GET';
  const isKnown = token !== null;
  if (writes && !isKnown) token = (await ask('GET', '/api/token')).token;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body && { 'content-type': 'application/json' }),
        ...(writes && { 'x-journal-token': token }),
      },
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw new Error('The journal cannot be reached. Check the connection and try again.');
  }
  if (writes && response.status === 403) {
    token = null; // Someone else may have signed on since; a fresh one is asked for, once.
    if (isKnown) return ask(method, path, body);
  }
  if (response.status === 204) return null;
  const value = await response.json().catch(() => null);
  if (!response.ok || value === null) {
    throw new Error(value?.detail ?? `The journal answered with status ${response.status}.`);
  }
  return value;
}

// Showing.

/** Text in which what a search found stands between U+0001 and U+0002. */
function marked(element, text) {
  element.replaceChildren(...text.split('\x01').flatMap((part, at) => {
    if (at === 0) return [part];
    const [found, rest] = part.split('\x02');
    const mark = document.createElement('mark');
    mark.textContent = found;
    return [mark, rest ?? ''];
  }));
}

function entryElement(entry) {
  const element = $('entry').content.firstElementChild.cloneNode(true);
  const written = new Date(entry.written);
  element.dataset.id = entry.id;
  element.dataset.day = dayFormat.format(written);
  marked(element.querySelector('h3'), entry.title);
  marked(element.querySelector('.body'), entry.text);
  const time = element.querySelector('time');
  time.dateTime = entry.written;
  time.textContent = timeFormat.format(written);
  if (entry.changed) time.title = `Changed ${new Date(entry.changed).toLocaleString()}`;
  const name = (entry.title || entry.text).replace(/[\x01\x02]/g, '').slice(0, 60);
  const edit = element.querySelector('.edit');
  const remove = element.querySelector('.delete');
  edit.setAttribute('aria-label', `Edit “${name}”`);
  remove.setAttribute('aria-label', `Delete “${name}”`);
  edit.addEventListener('click', () => startEdit(element, entry.id));
  remove.addEventListener('click', () => removeEntry(element, entry.id, name));
  return element;
}

/** Long entries show their beginning; only laid out text tells which are long. */
function shorten(element) {
  const body = element.querySelector('.body');
  const toggle = element.querySelector('.toggle');
  body.classList.add('short');
  if (body.scrollHeight <= body.clientHeight + 2) {
    body.classList.remove('short');
    return;
  }
  toggle.hidden = false;
  toggle.setAttribute('aria-expanded', 'false');
  toggle.addEventListener('click', () => {
    const short = body.classList.toggle('short');
    toggle.textContent = short ? 'Read on' : 'Show less';
    toggle.setAttribute('aria-expanded', String(!short));
  });
}

function heading(day) {
  const element = document.createElement('p');
  element.className = 'day';
  element.dataset.day = day;
  element.textContent = day === dayFormat.format(new Date()) ? 'Today' : day;
  return element;
}

function append(entries) {
  let day = list.querySelector('.entry:last-of-type')?.dataset.day;
  for (const entry of entries) {
    const element = entryElement(entry);
    if (element.dataset.day !== day) {
      day = element.dataset.day;
      list.append(heading(day));
    }
    list.append(element);
    shorten(element);
  }
}

function message(strong, text, action) {
  const element = document.createElement('div');
  element.className = 'empty';
  const first = document.createElement('strong');
  first.textContent = strong;
  element.append(first, text);
  if (action) {
    const button = document.createElement('button');
    button.className = 'plain';
    button.type = 'button';
    button.textContent = 'Try again';
    button.addEventListener('click', action);
    element.append(document.createElement('br'), button);
  }
  list.replaceChildren(element);
}

function say(text) {
  $('said').textContent = text;
}

async function load(more = false) {
  const mine = ++turn;
  const query = new URLSearchParams();
  if (words) query.set('q', words);
  else if (more) query.set('before', next);
  list.setAttribute('aria-busy', 'true');
  try {
    const answer = await ask('GET', `/api/entries?${query}`);
    if (mine !== turn) return;
    if (!more) list.replaceChildren();
    append(answer.entries);
    next = answer.next;
    $('more').hidden = next === null;
    $('entries-name').textContent = words ? 'Found' : 'Entries';
    $('clear').hidden = !words;
    if (words) say(answer.entries.length === 1 ? '1 entry found' : `${answer.entries.length} entries found`);
    if (list.childElementCount === 0) nothing();
  } catch (error) {
    if (mine !== turn) return;
    $('more').hidden = true;
    message('The entries could not be loaded.', error.message, () => load());
  } finally {
    if (mine === turn) list.setAttribute('aria-busy', 'false');
  }
}

function nothing() {
  if (words) message('Nothing found.', `No entry holds “${words}”.`);
  else message('An empty journal.', 'The first entry is the hardest. Write one above.');
}

// Writing.

const write = $('write');
const draftKey = 'journal.draft';

function note(form, text, bad = false) {
  const element = form.querySelector('.note');
  element.textContent = text;
  element.classList.toggle('bad', bad);
}

async function send(form, method, path) {
  const button = form.querySelector('button.main');
  const { title, text } = Object.fromEntries(new FormData(form));
  if (!title.trim() && !text.trim()) {
    note(form, 'Write something first.', true);
    form.elements.title.focus();
    return null;
  }
  button.disabled = true;
  note(form, '');
  try {
    return await ask(method, path, { title, text });
  } catch (error) {
    note(form, error.message, true);
    return null;
  } finally {
    button.disabled = false;
  }
}

write.addEventListener('submit', async (event) => {
  event.preventDefault();
  const entry = await send(write, 'POST', '/api/entries');
  if (entry === null) return;
  write.reset();
  localStorage.removeItem(draftKey);
  note(write, 'Saved.');
  if (words) {
    $('words').value = '';
    words = '';
    await load();
    return;
  }
  turn++;
  list.querySelector('.empty')?.remove();
  const element = entryElement(entry);
  element.classList.add('new');
  const first = list.firstElementChild;
  if (first?.dataset.day === element.dataset.day) first.after(element);
  else list.prepend(heading(element.dataset.day), element);
  shorten(element);
});

write.addEventListener('input', () => {
  note(write, '');
  const draft = Object.fromEntries(new FormData(write));
  localStorage.setItem(draftKey, JSON.stringify(draft));
});

function restoreDraft() {
  try {
    const { title = '', text = '' } = JSON.parse(localStorage.getItem(draftKey)) ?? {};
    write.elements.title.value = title;
    write.elements.text.value = text;
    if (title || text) note(write, 'Your unsaved entry is still here.');
  } catch {
    // A draft that cannot be read is no draft.
  }
}

document.addEventListener('keydown', (event) => {
  const typing = event.target.matches('input, textarea');
  if (event.key === '/' && !typing) {
    event.preventDefault();
    $('words').focus();
  } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && event.target.form) {
    event.target.form.requestSubmit();
  }
});

// Changing and deleting.

async function startEdit(element, id) {
  let entry;
  try {
    entry = await ask('GET', `/api/entries/${id}`); // A search shows only part of the text.
  } catch (error) {
    say(error.message);
    return;
  }
  const form = $('editor').content.firstElementChild.cloneNode(true);
  const before = [...element.childNodes];
  form.elements.title.value = entry.title;
  form.elements.text.value = entry.text;
  element.replaceChildren(form);
  form.elements.text.focus();
  const leave = () => {
    element.replaceChildren(...before);
    element.querySelector('.edit').focus();
  };
  form.querySelector('.cancel').addEventListener('click', leave);
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') leave();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const changed = await send(form, 'PUT', `/api/entries/${id}`);
    if (changed === null) return;
    const fresh = entryElement(changed);
    element.replaceWith(fresh);
    shorten(fresh);
    fresh.querySelector('.edit').focus();
    say('Changes saved');
  });
}

function removeEntry(element, id, name) {
  const dialog = $('ask');
  $('ask-what').textContent = `“${name}” will be gone for good.`;
  dialog.returnValue = 'no';
  dialog.onclose = async () => {
    if (dialog.returnValue !== 'yes') return;
    try {
      await ask('DELETE', `/api/entries/${id}`);
    } catch (error) {
      say(error.message);
      return;
    }
    const head = element.previousElementSibling;
    const after = element.nextElementSibling;
    element.remove();
    if (head?.matches('.day') && !after?.matches('.entry')) head.remove();
    if (list.childElementCount === 0) nothing();
    list.focus();
    say('Entry deleted');
  };
  dialog.showModal();
}

// Searching.

let pause;
$('words').addEventListener('input', () => {
  clearTimeout(pause);
  pause = setTimeout(search, 180);
});
$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  search();
});
$('clear').addEventListener('click', () => {
  $('words').value = '';
  search();
  $('words').focus();
});

function search() {
  clearTimeout(pause);
  const now = $('words').value.trim();
  if (now === words) return;
  words = now;
  next = null;
  load();
}

$('more').addEventListener('click', () => load(true));
$('today').textContent = dayFormat.format(new Date());
restoreDraft();
load();
