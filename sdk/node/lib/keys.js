// SPDX-License-Identifier: Apache-2.0
'use strict';

// The app's Ed25519 keys: the host signs, no call gives a private key. docs/SECRETS.md has limits
// and errors.

const { connection } = require('./connection.js');
const { HostError } = require('./errors.js');
const { bytes, own } = require('./secrets.js');

const SIGNATURE_BYTES = 64;

/** Makes a key. `conflict.key` if there is one of that name. */
async function create(name) {
  return key((await connection().request('keys.create', { name })).result);
}

/** The newest version of a key; the key is made if there is none. */
async function getOrCreate(name) {
  return publicKey(name)
    .catch(unless('not_found.key', () => create(name)))
    .catch(unless('conflict.key', () => publicKey(name))); // Somebody else was first.
}

/** Makes a new version, which signs from now on; what earlier ones signed goes on verifying. */
async function rotate(name) {
  return key((await connection().request('keys.rotate', { name })).result);
}

/** The newest version of a key, or the one that is named. */
async function publicKey(name, { version } = {}) {
  return key((await connection().request('keys.publicKey', { name, version })).result);
}

/** The 64 bytes of signature over a message, which must fit one frame; text is UTF-8. */
async function sign(name, message) {
  return own((await connection().request('keys.sign', { name }, { body: bytes(message) })).body);
}

/** Whether the signature is one of the key (an own one's name, or anybody's public key). */
async function verify(who, message, signature, { version } = {}) {
  const isName = typeof who === 'string';
  if (!isName && version !== undefined) {
    throw new HostError('params.value', 'a version goes with the name of a key');
  }
  const params = isName ? { name: who, version }
    : { publicKey: bytes(who?.raw ?? who).toString('base64') };
  const signed = bytes(signature);
  // It would shift the border in the body.
  if (signed.length !== SIGNATURE_BYTES) return false;
  const body = Buffer.concat([signed, bytes(message)]);
  return (await connection().request('keys.verify', params, { body })).result.valid === true;
}

/** Every version of every key. */
async function list() {
  return (await connection().request('keys.list')).result.keys.map(key);
}

/** Drops all versions: nothing verifies by that name any more. */
async function remove(name) {
  await connection().request('keys.delete', { name });
}

function key(result) {
  return { ...result, raw: Buffer.from(result.raw, 'base64') };
}

function unless(code, next) {
  return (error) => {
    if (error.code !== code) throw error;
    return next();
  };
}

module.exports = {
  keys: { create, getOrCreate, rotate, publicKey, sign, verify, list, delete: remove },
};
