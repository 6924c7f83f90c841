// SPDX-License-Identifier: Apache-2.0
'use strict';

// The app's SQLite databases.

const { HostError } = require('./errors.js');
const { Wire, EMPTY } = require('./wire.js');
const { connection } = require('./connection.js');
const { encodeParams, decodeRows, Blobs } = require('./sqlvalues.js');

/** The short way to the app's SQL worker. */
class Channel {
  constructor(fd) {
    this._calls = new Map();
    this._nextId = 0;
    this.wire = new Wire(
      fd,
      (message, body, text) => this._took(message, body, text),
      () => this._rest(),
      () => this._end(),
    );
    this.wire.socket.unref();
  }

  get closed() {
    return this.wire.closed;
  }

  request(text, body) {
    return new Promise((resolve, reject) => {
      const id = this._nextId++;
      this.wire.send('{"jsonrpc":"2.0","id":' + id + ',' + text, body);
      if (this._calls.size === 0) this.wire.socket.ref();
      this._calls.set(id, { resolve, reject });
    });
  }

  _took(message, body, text) {
    const entry = this._calls.get(message.id);
    if (entry === undefined) return;
    this._calls.delete(message.id);
    if (message.error !== undefined) entry.reject(HostError.of(message.error));
    else entry.resolve({ result: message.result, body, text });
  }

  _rest() {
    if (this._calls.size === 0) this.wire.socket.unref();
  }

  _end() {
    for (const entry of this._calls.values()) {
      entry.reject(new HostError(
        'upstream.sql',
        'the database worker ended with this statement under way; ' +
          'it may have been carried out or not',
      ));
    }
    this._calls.clear();
  }
}

let channel;

function ask(text, body) {
  if (channel === undefined) {
    const fd = process.env.BULKHEAD_SQL_FD;
    channel = fd === undefined ? null : new Channel(Number(fd));
  }
  if (channel !== null && !channel.closed) return channel.request(text, body);
  return connection().requestText(text, body);
}

class Database {
  constructor(name) {
    this.name = name;
    this._named = JSON.stringify(name);
  }

  /** The rows, as objects; with `{ rows: 'array' }` as arrays. `rows.columns` are the names. */
  async query(sql, params = [], options = {}) {
    const blobs = new Blobs();
    const text = '"method":"sql.query","params":' + this._statement(sql, params, blobs) +
      ',"safeIntegers":true}' + meta(options);
    const { result, body, text: raw } = await ask(text, blobs.body());
    return decodeRows(result, body, raw, options.rows === 'array');
  }

  /** The first row, or undefined. */
  async get(sql, params = [], options = {}) {
    return (await this.query(sql, params, options))[0];
  }

  /** `{ changes, lastInsertRowId }`. */
  async execute(sql, params = [], options = {}) {
    const blobs = new Blobs();
    const text = '"method":"sql.execute","params":' + this._statement(sql, params, blobs) +
      '}' + meta(options);
    return outcome((await ask(text, blobs.body())).result);
  }

  /** Statements in one transaction, all or none: SQL, `[sql, params]` or `{ sql, params }`. */
  async batch(statements, options = {}) {
    const blobs = new Blobs();
    const list = [];
    for (const one of statements) {
      const [sql, params = []] = typeof one === 'string' ? [one]
        : Array.isArray(one) ? one : [one.sql, one.params];
      list.push('{"sql":' + quote(sql) + ',"params":' + encodeParams(params, blobs) + '}');
    }
    const text = '"method":"sql.batch","params":{"database":' + this._named +
      ',"statements":[' + list.join(',') + ']}' + meta(options);
    return (await ask(text, blobs.body())).result.results.map(outcome);
  }

  _statement(sql, params, blobs) {
    return '{"database":' + this._named + ',"sql":' + quote(sql) +
      ',"params":' + encodeParams(params, blobs);
  }
}

function outcome({ changes, lastInsertRowId }) {
  return { changes, lastInsertRowId: exact(lastInsertRowId) };
}

function exact(value) {
  return value !== null && typeof value === 'object' && 'int' in value ? BigInt(value.int) : value;
}

function meta({ timeout }) {
  return timeout === undefined ? '}'
    : ',"meta":{"deadlineMs":' + Math.max(1, Math.round(timeout)) + '}}';
}

function quote(sql) {
  if (typeof sql !== 'string') throw new TypeError('a statement is a text');
  if (!sql.isWellFormed()) throw new HostError('params.text', 'text with a lone surrogate');
  return JSON.stringify(sql);
}

function open(name = 'main') {
  return new Database(name);
}

module.exports = { open, Database, EMPTY };
