// SPDX-License-Identifier: Apache-2.0
'use strict';

// The app's secrets. docs/SECRETS.md has limits and errors.

const { connection } = require('./connection.js');
const { HostError } = require('./errors.js');
const { isWellFormed } = require('./text.js');

/** The value; of an earlier version if `version` names one. */
async function get(name, { version } = {}) {
  return own((await connection().request('secrets.get', { name, version })).body);
}

async function getText(name, options) {
  return text(await get(name, options));
}

/** Keeps a new version. Text is kept as UTF-8. */
async function set(name, value) {
  return (await connection().request('secrets.set', { name }, { body: bytes(value) })).result;
}

/** The value; if there is none, a random one is made. All who ask at once get the same. */
async function getOrCreate(name, { kind = 'token', length } = {}) {
  const params = { name, generate: { kind, length } };
  return own((await connection().request('secrets.getOrCreate', params)).body);
}

async function getOrCreateText(name, options) {
  return text(await getOrCreate(name, options));
}

/** Every secret, without values. */
async function list() {
  return (await connection().request('secrets.list')).result.secrets;
}

/** Drops all versions. */
async function remove(name) {
  await connection().request('secrets.delete', { name });
}

/** A copy: what came lies within a larger buffer of the socket. */
function own(body) {
  return Buffer.from(body);
}

function text(value) {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
}

/** The bytes of a value or message. */
function bytes(value) {
  if (typeof value === 'string') {
    if (!isWellFormed(value)) throw new HostError('params.text', 'text with a lone surrogate');
    return Buffer.from(value);
  }
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  throw new HostError('params.value', `a ${typeof value} is neither bytes nor text`);
}

module.exports = {
  secrets: { get, getText, set, getOrCreate, getOrCreateText, list, delete: remove },
  bytes,
  own,
};
