// SPDX-License-Identifier: Apache-2.0
'use strict';

// The methods `secrets.*` and `keys.*` in memory, with the Ed25519 of node:crypto.

const crypto = require('node:crypto');

const EMPTY = Buffer.alloc(0);
const HEAD = Buffer.from('302a300506032b6570032100', 'hex'); // Of a SubjectPublicKeyInfo, RFC 8410.

function refuse(code, word) {
  throw { code, message: word, data: { code: word, retryable: false } };
}

/** `fakeVault()(method, params, body)` answers with `[result, body]` or throws the error. */
function fakeVault() {
  const secrets = new Map();
  const keys = new Map();

  const secret = (name, version) => {
    const values = secrets.get(name);
    const at = version ?? values?.length;
    if (values?.[at - 1] === undefined) refuse(-32002, 'not_found.secret');
    const versions = values.map((_, index) => index + 1);
    return [{ name, version: at, versions, setAt: 1_700_000_000, origin: 'app' }, values[at - 1]];
  };
  const key = (name, version) => {
    const pairs = keys.get(name);
    const at = version ?? pairs?.length;
    if (pairs?.[at - 1] === undefined) refuse(-32002, 'not_found.key');
    const shown = pairs[at - 1].publicKey;
    const raw = shown.export({ type: 'spki', format: 'der' }).subarray(HEAD.length);
    return { name, version: at, algorithm: 'Ed25519', createdAt: 1_700_000_000,
      canSign: at === pairs.length, raw: raw.toString('base64'),
      pem: shown.export({ type: 'spki', format: 'pem' }), jwk: shown.export({ format: 'jwk' }) };
  };
  const grow = (map, name, value) => map.set(name, [...(map.get(name) ?? []), value]);
  const pair = () => crypto.generateKeyPairSync('ed25519');
  const fromRaw = (text) => crypto.createPublicKey({
    key: Buffer.concat([HEAD, Buffer.from(text, 'base64')]), format: 'der', type: 'spki' });

  const methods = {
    'secrets.get': ({ name, version }) => secret(name, version),
    'secrets.set': ({ name }, body) => [secret(grow(secrets, name, body) && name)[0], EMPTY],
    'secrets.getOrCreate': ({ name, generate }) => {
      const created = !secrets.has(name);
      if (created) grow(secrets, name, Buffer.alloc(generate.length ?? 32, generate.kind[0]));
      const [result, body] = secret(name);
      return [{ ...result, created }, body];
    },
    'secrets.list': () => [{ secrets: [...secrets.keys()].map((name) => secret(name)[0]) }, EMPTY],
    'secrets.delete': ({ name }) => [secret(name) && secrets.delete(name) && {}, EMPTY],
    'keys.create': ({ name }) => {
      if (keys.has(name)) refuse(-32003, 'conflict.key');
      return [key(grow(keys, name, pair()) && name), EMPTY];
    },
    'keys.rotate': ({ name }) => [key(key(name) && grow(keys, name, pair()) && name), EMPTY],
    'keys.publicKey': ({ name, version }) => [key(name, version), EMPTY],
    'keys.sign': ({ name }, body) => {
      const { version } = key(name);
      return [{ version }, crypto.sign(null, body, keys.get(name).at(-1).privateKey)];
    },
    'keys.verify': ({ name, version, publicKey }, body) => {
      const [signature, message] = [body.subarray(0, 64), body.subarray(64)];
      const fits = (shown) => crypto.verify(null, message, shown, signature);
      if (publicKey !== undefined) return [{ valid: fits(fromRaw(publicKey)) }, EMPTY];
      key(name, version);
      const at = keys.get(name).findIndex((one, index) =>
        (version ?? index + 1) === index + 1 && fits(one.publicKey));
      return [{ valid: at >= 0, version: at < 0 ? null : at + 1 }, EMPTY];
    },
    'keys.list': () => [{ keys: [...keys].flatMap(([name, pairs]) =>
      pairs.map((_, index) => key(name, index + 1))) }, EMPTY],
    'keys.delete': ({ name }) => [key(name) && keys.delete(name) && {}, EMPTY],
  };
  return (method, params, body) => methods[method](params, body);
}

module.exports = { fakeVault };
