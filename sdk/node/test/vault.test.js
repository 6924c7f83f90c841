// SPDX-License-Identifier: Apache-2.0
'use strict';

// Secrets and keys.

const test = require('node:test');
const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { guest } = require('../testing/fake-host.js');
const { fakeVault } = require('../testing/fake-vault.js');

/** What `work(show)` showed within a request, Buffers as `[text]`, and the host. */
async function shown(t, work, module = false) {
  const load = module ? "import * as guest from '@bulkhead/guest';"
    : "const guest = require('@bulkhead/guest');";
  const host = guest(t, `${load}
    const { secrets, keys } = guest;
    const plain = (value) => Buffer.isBuffer(value) ? [value.toString()] : value;
    guest.serveHttp(async (req, res) => {
      const shown = [];
      try { await (async (show) => { ${work} })((...values) => shown.push(...values.map(plain))); }
      catch (error) { shown.push(error.stack); }
      res.end(JSON.stringify(shown));
    });`, { module, vault: fakeVault() });
  return [JSON.parse(await host.http().text()), host];
}

for (const module of [false, true]) {
  test(`secrets have versions, ${module ? 'ESM' : 'CommonJS'}`, async (t) => {
    const [seen, host] = await shown(t, `
      const first = await secrets.set('smtp/password', 'pässword');
      const second = await secrets.set('smtp/password', new Uint16Array([0x4241]));
      show(first.version, second.version, second.versions, second.setAt, second.origin);
      show(await secrets.get('smtp/password'), await secrets.getText('smtp/password', { version: 1 }));
      show((await secrets.list()).map((one) => one.name), await secrets.delete('smtp/password') ?? null);
      await secrets.get('smtp/password').catch((error) => show(error.code));
      show(await secrets.list());`, module);
    assert.deepEqual(seen, [1, 2, [1, 2], 1_700_000_000, 'app', ['AB'], 'pässword',
      ['smtp/password'], null, 'not_found.secret', []]);
    // No value within the JSON: it is what gets printed.
    assert.deepEqual(host.calls[0].params, { name: 'smtp/password' });
  });
}

test('a secret is made if there is none', async (t) => {
  const [seen, host] = await shown(t, `
    show(await secrets.getOrCreate('a'), await secrets.getOrCreate('a', { kind: 'bytes' }));
    show(await secrets.getOrCreateText('b', { kind: 'password', length: 20 }));`);
  assert.deepEqual(seen, [['t'.repeat(32)], ['t'.repeat(32)], 'p'.repeat(20)]);
  assert.deepEqual(host.calls.map((call) => call.params.generate),
    [{ kind: 'token' }, { kind: 'bytes' }, { kind: 'password', length: 20 }]);
});

test('what is neither bytes nor text is refused here', async (t) => {
  const [seen, host] = await shown(t, `
    for (const call of [() => secrets.set('a', 5), () => secrets.set('a', '\\ud800'),
      () => keys.sign('a', null), () => keys.verify('a', 'm', 'signature'),
      () => secrets.set('a', Buffer.alloc(2_000_000)),
      () => keys.verify(Buffer.alloc(32), '', Buffer.alloc(64), { version: 1 })]) {
      await call().then(show, (error) => show(error.code));
    }
    await secrets.set('a', new Uint8Array([255]));
    await secrets.getText('a').catch((error) => show(error.name));`);
  assert.deepEqual(seen, ['params.value', 'params.text', 'params.value', false, 'params.size',
    'params.value', 'TypeError']);
  assert.deepEqual(host.calls.map((call) => call.method), ['secrets.set', 'secrets.get']);
});

test('keys sign, verify and rotate', async (t) => {
  const [seen] = await shown(t, `
    const first = await keys.create('export');
    show(first.version, first.algorithm, first.canSign, first.raw.length, first.jwk.crv, first.pem);
    const one = await keys.sign('export', 'message');
    show(one.toString('hex'));
    const second = await keys.rotate('export');
    const two = await keys.sign('export', Buffer.from('message'));
    show((await keys.list()).map((key) => [key.version, key.canSign]));
    show(await keys.verify('export', 'message', one), await keys.verify('export', 'message', two));
    show(await keys.verify('export', 'message', two, { version: 1 }), await keys.verify('export', 'another', one));
    show(await keys.verify(first, 'message', one), await keys.verify(second.raw, 'message', one));
    show((await keys.publicKey('export', { version: 1 })).raw.equals(first.raw));
    await keys.create('export').catch((error) => show(error.code));
    await keys.delete('export');
    await keys.sign('export', '').catch((error) => show(error.code));
    show(await keys.list());`);
  const [pem, signature] = seen.splice(5, 2);
  assert.ok(crypto.verify(null, Buffer.from('message'), pem, Buffer.from(signature, 'hex')));
  assert.deepEqual(seen, [1, 'Ed25519', true, 32, 'Ed25519', [[1, false], [2, true]], true, true,
    false, false, true, false, true, 'conflict.key', 'not_found.key', []]);
});

test('a signature of another length is none', async (t) => {
  // Otherwise its missing bytes would be taken from the message.
  const [seen, host] = await shown(t, `
    await keys.create('a');
    const signed = await keys.sign('a', '');
    for (const [message, signature] of [['', signed], [signed.subarray(60), signed.subarray(0, 60)],
      ['', Buffer.concat([signed, Buffer.from('x')])], [signed, Buffer.alloc(0)]]) {
      show(await keys.verify('a', message, signature));
    }`);
  assert.deepEqual(seen, [true, false, false, false]);
  assert.equal(host.calls.filter((call) => call.method === 'keys.verify').length, 1);
});

test('of many who make a key one does', async (t) => {
  const [seen] = await shown(t, `
    const made = await Promise.all(Array.from({ length: 8 }, () => keys.getOrCreate('shared')));
    show(new Set(made.map((key) => key.pem)).size, made[0].version);`);
  assert.deepEqual(seen, [1, 1]);
});
