// SPDX-License-Identifier: Apache-2.0
const said = document.getElementById('said');
const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 });
const units = { us: [1e6, 's'], B: [1 << 20, 'MiB'], 'KiB.s': [1 << 20, 'GiB·s'], 'MiB.s': [1 << 10, 'GiB·s'], 1: [1, ''] };

async function ask(path, method = 'GET') {
  const answer = await fetch(path, { method });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.detail ?? answer.statusText);
  return value;
}

function cell(text, isNumber) {
  const made = document.createElement('td');
  made.textContent = text;
  if (isNumber) made.className = 'number';
  return made;
}

async function show() {
  const [usage, cost] = [await ask('/api/usage'), await ask('/api/cost')];
  document.getElementById('usage').replaceChildren(...usage.meters
    .filter((line) => !line.meter.startsWith('cost.'))
    .map((line) => {
      const [per, unit] = units[line.unit] ?? [1, line.unit];
      const row = document.createElement('tr');
      row.append(cell(line.meter), cell(line.label), cell(`${number.format(line.quantity / per)} ${unit}`, true));
      return row;
    }));
  document.getElementById('cost').textContent = cost.totals
    .map((total) => `${(total.micros / 1e6).toFixed(6)} ${total.currency}`).join(', ') || 'Nothing has a price.';
}

document.getElementById('buttons').addEventListener('click', async (event) => {
  const path = event.target.dataset?.path;
  if (!path) return;
  event.target.disabled = true;
  said.textContent = 'Burning …';
  try {
    said.textContent = JSON.stringify(await ask(path, 'POST'));
    await show();
  } catch (error) {
    said.textContent = error.message;
  }
  event.target.disabled = false;
});

const renew = () => show().catch((error) => { said.textContent = error.message; });
renew();
setInterval(() => { if (!document.hidden) renew(); }, 5000);
