// SPDX-License-Identifier: Apache-2.0
'use strict';

// SQL values to and from the wire. JSON carries null, 64-bit integers, doubles and text; blobs
// ride in the body of the frame, and the infinities have a form of their own.
//
//   null                         NULL
//   BigInt, safe integer         INTEGER
//   other number                 REAL (NaN: NULL, as SQLite has it)
//   string                       TEXT
//   boolean                      INTEGER 0 or 1
//   ArrayBuffer, its views       BLOB
//
// Back: an INTEGER is a number if it is exact as one, else a BigInt.

const { HostError } = require('./errors.js');
const { EMPTY } = require('./wire.js');
const { isWellFormed } = require('./text.js');

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;

/** A text longer than this goes to the body: its JSON has a limit. */
const INLINE_MAX = 16_384;
const PARAMS_MAX = 32_766;

class Blobs {
  constructor() {
    this.parts = null;
    this.length = 0;
  }

  add(tag, view) {
    (this.parts ??= []).push(view);
    const at = this.length;
    this.length += view.length;
    return '{"' + tag + '":[' + at + ',' + view.length + ']}';
  }

  body() {
    return this.parts === null ? EMPTY
      : this.parts.length === 1 ? this.parts[0] : Buffer.concat(this.parts);
  }
}

function encodeValue(value, blobs) {
  switch (typeof value) {
    case 'number':
      return encodeNumber(value);
    case 'string':
      if (!isWellFormed(value)) throw new HostError('params.text', 'text with a lone surrogate');
      return value.length > INLINE_MAX ? blobs.add('text', Buffer.from(value))
        : JSON.stringify(value);
    case 'bigint':
      if (value >= INT_MIN && value <= INT_MAX) return value.toString();
      throw new HostError('params.value', `the integer ${value} does not fit 64 bits`);
    case 'boolean':
      return value ? '1' : '0';
    case 'object':
      if (value === null) return 'null';
      if (ArrayBuffer.isView(value)) {
        return blobs.add('blob', new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      }
      if (value instanceof ArrayBuffer) return blobs.add('blob', new Uint8Array(value));
  }
  throw refused(value);
}

function refused(value) {
  return new HostError(
    'params.value',
    `a ${value?.constructor?.name ?? typeof value} is no SQL value; ` +
      'use null, number, bigint, string, boolean or Uint8Array',
  );
}

function encodeNumber(value) {
  if (Number.isSafeInteger(value)) return Object.is(value, -0) ? '-0.0' : String(value);
  if (Number.isNaN(value)) return 'null';
  if (!Number.isFinite(value)) return value > 0 ? '{"real":"inf"}' : '{"real":"-inf"}';
  // A whole number this large is a double; written with an exponent it stays one.
  return Number.isInteger(value) ? value.toExponential() : String(value);
}

function encodeParams(params, blobs) {
  if (Array.isArray(params)) {
    if (params.length > PARAMS_MAX) {
      throw new HostError(
        'params.size', `${params.length} parameters, ${PARAMS_MAX} are allowed`,
      );
    }
    let out = '[';
    for (let at = 0; at < params.length; at++) {
      out += (at === 0 ? '' : ',') + encodeValue(params[at], blobs);
    }
    return out + ']';
  }
  if (params === null || typeof params !== 'object' || ArrayBuffer.isView(params)) {
    throw new HostError('params.value', 'params is an array, or an object for named parameters');
  }
  const parts = [];
  for (const name of Object.keys(params)) {
    parts.push(JSON.stringify(name) + ':' + encodeValue(params[name], blobs));
  }
  return '{' + parts.join(',') + '}';
}

/** Whether no value needs a second look: no object but the message and its result. */
function flat(text) {
  const second = text.indexOf('{', 1);
  return second === -1 || text.indexOf('{', second + 1) === -1;
}

function special(value, body) {
  if (value.blob !== undefined) {
    const [at, length] = value.blob;
    return new Uint8Array(body.buffer, body.byteOffset + at, length);
  }
  if (value.text !== undefined) {
    const [at, length] = value.text;
    return Buffer.from(body.buffer, body.byteOffset + at, length).utf8Slice(0, length);
  }
  if (value.int !== undefined) return BigInt(value.int);
  if (value.real !== undefined) return value.real === '-inf' ? -Infinity : Infinity;
  throw new HostError('internal.value', 'the host sent a value this SDK does not know');
}

/** The rows of a result, as objects or, if wanted, as arrays; `columns` are their names. */
function decodeRows({ columns, rows, changes, lastInsertRowId }, body, text, arrays) {
  if (!flat(text)) {
    for (const row of rows) {
      for (let at = 0; at < row.length; at++) {
        const value = row[at];
        if (value !== null && typeof value === 'object') row[at] = special(value, body);
      }
    }
  }
  const out = arrays ? rows : rows.map(asObject(columns));
  hidden(out, 'columns', columns);
  if (changes !== undefined) {
    hidden(out, 'changes', changes);
    hidden(out, 'lastInsertRowId', exact(lastInsertRowId));
  }
  return out;
}

function hidden(rows, name, value) {
  Object.defineProperty(rows, name, { value, configurable: true });
}

function exact(value) {
  return value !== null && typeof value === 'object' ? BigInt(value.int) : value;
}

/** What makes an object of a row; of columns with one name the first counts. */
function asObject(columns) {
  const first = columns.map((name, at) => columns.indexOf(name) === at);
  const odd = columns.includes('__proto__') || first.includes(false);
  if (!odd) {
    return (row) => {
      const object = {};
      for (let at = 0; at < columns.length; at++) object[columns[at]] = row[at];
      return object;
    };
  }
  return (row) => {
    const object = {};
    columns.forEach((name, at) => {
      if (first[at]) {
        Object.defineProperty(object, name, {
          value: row[at], enumerable: true, writable: true, configurable: true,
        });
      }
    });
    return object;
  };
}

module.exports = {
  Blobs, encodeParams, decodeRows, asObject, hidden, exact, refused, INT_MIN, INT_MAX,
};
