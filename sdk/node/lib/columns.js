// SPDX-License-Identifier: Apache-2.0
'use strict';

// Many rows as bytes: `columns/1` of docs/SQL.md. Values of one column lie together.
//
//   u32le length · u32le rows · u32le columns · per column: u8 kind, then
//     0 null · 1 int: i64le each · 2 real: f64le each · 3 text, 4 blob: u32le length each, bytes
//     5 mixed: u8 kind each, then the ints, the reals, the lengths, the bytes

const { HostError } = require('./errors.js');
const { INT_MIN, INT_MAX, refused } = require('./sqlvalues.js');
const { isWellFormed } = require('./text.js');

const NULL = 0;
const INT = 1;
const REAL = 2;
const TEXT = 3;
const BLOB = 4;
const MIXED = 5;
const HIGH = 2 ** 32;

/** What SQLite stores: `[kind, value]`, the value as it is written. */
function stored(value) {
  switch (typeof value) {
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return [INT, BigInt(value)];
      return Number.isNaN(value) ? [NULL, null] : [REAL, value];
    case 'bigint':
      if (value >= INT_MIN && value <= INT_MAX) return [INT, value];
      throw new HostError('params.value', `the integer ${value} does not fit 64 bits`);
    case 'string':
      if (!isWellFormed(value)) throw new HostError('params.text', 'text with a lone surrogate');
      return [TEXT, Buffer.from(value)];
    case 'boolean':
      return [INT, value ? 1n : 0n];
    case 'object':
      if (value === null) return [NULL, null];
      if (ArrayBuffer.isView(value)) {
        return [BLOB, Buffer.from(value.buffer, value.byteOffset, value.byteLength)];
      }
      if (value instanceof ArrayBuffer) return [BLOB, Buffer.from(value)];
  }
  throw refused(value);
}

function encodeColumn(rows, at) {
  const values = rows.map((row) => stored(row[at]));
  const kinds = Buffer.from(values.map(([kind]) => kind));
  const uniform = kinds.every((kind) => kind === kinds[0]);
  const of = (...wanted) => values.filter(([kind]) => wanted.includes(kind)).map(([, one]) => one);
  const ints = of(INT);
  const reals = of(REAL);
  const long = of(TEXT, BLOB);
  const fixed = Buffer.alloc(8 * ints.length + 8 * reals.length + 4 * long.length);
  let to = 0;
  for (const one of ints) to = fixed.writeBigInt64LE(one, to);
  for (const one of reals) to = fixed.writeDoubleLE(one, to);
  for (const one of long) to = fixed.writeUInt32LE(one.length, to);
  return [uniform ? kinds.subarray(0, 1) : Buffer.from([MIXED, ...kinds]), fixed, ...long];
}

/** The chunk of these rows, all of one length and not empty. Throws HostError. */
function encode(rows) {
  const width = rows[0].length;
  if (rows.some((row) => row.length !== width)) {
    throw new HostError('params.value', `the first row has ${width} values, another has not`);
  }
  const head = Buffer.alloc(12);
  const parts = [head];
  for (let at = 0; at < width; at++) parts.push(...encodeColumn(rows, at));
  const chunk = Buffer.concat(parts);
  chunk.writeUInt32LE(chunk.length - 4, 0);
  chunk.writeUInt32LE(rows.length, 4);
  chunk.writeUInt32LE(width, 8);
  return chunk;
}

class Cursor {
  constructor(chunk) {
    this.chunk = chunk;
    this.at = 12;
  }

  ints(count) {
    const { chunk } = this;
    const out = new Array(count);
    for (let n = 0; n < count; n++, this.at += 8) {
      const high = chunk.readInt32LE(this.at + 4);
      const value = high * HIGH + chunk.readUInt32LE(this.at);
      out[n] = Number.isSafeInteger(value) ? value : chunk.readBigInt64LE(this.at);
    }
    return out;
  }

  reals(count) {
    const out = new Array(count);
    for (let n = 0; n < count; n++, this.at += 8) out[n] = this.chunk.readDoubleLE(this.at);
    return out;
  }

  /** `kinds[n]` tells a text from a blob. */
  long(kinds, count) {
    const { chunk } = this;
    const out = new Array(count);
    let from = this.at + 4 * count;
    for (let n = 0; n < count; n++, this.at += 4) {
      const end = from + chunk.readUInt32LE(this.at);
      out[n] = kinds(n) === TEXT ? chunk.utf8Slice(from, end)
        : new Uint8Array(chunk.subarray(from, end));
      from = end;
    }
    this.at = from;
    return out;
  }

  column(rows) {
    const kind = this.chunk[this.at++];
    switch (kind) {
      case NULL: return new Array(rows).fill(null);
      case INT: return this.ints(rows);
      case REAL: return this.reals(rows);
      case TEXT:
      case BLOB: return this.long(() => kind, rows);
    }
    const kinds = this.chunk.subarray(this.at, (this.at += rows));
    const count = (...wanted) => kinds.reduce((sum, one) => sum + wanted.includes(one), 0);
    const ints = this.ints(count(INT)).values();
    const reals = this.reals(count(REAL)).values();
    const places = [...kinds].filter((one) => one === TEXT || one === BLOB);
    const long = this.long((n) => places[n], places.length).values();
    const sources = [null, ints, reals, long, long];
    return Array.from(kinds, (one) => (one === NULL ? null : sources[one].next().value));
  }
}

/** The rows of one whole chunk, as arrays. */
function decode(chunk) {
  const rows = chunk.readUInt32LE(4);
  const width = chunk.readUInt32LE(8);
  const cursor = new Cursor(chunk);
  const columns = [];
  for (let at = 0; at < width; at++) columns.push(cursor.column(rows));
  return Array.from({ length: rows }, (_, row) => columns.map((column) => column[row]));
}

/** Cuts what arrives into chunks. */
class Chunks {
  constructor() {
    this._rest = Buffer.alloc(0);
  }

  /** The chunks that are whole now. */
  feed(piece) {
    const data = this._rest.length === 0 ? piece : Buffer.concat([this._rest, piece]);
    const out = [];
    let at = 0;
    while (data.length - at >= 4) {
      const end = at + 4 + data.readUInt32LE(at);
      if (end > data.length) break;
      out.push(data.subarray(at, end));
      at = end;
    }
    this._rest = data.subarray(at);
    return out;
  }
}

module.exports = { encode, decode, Chunks };
