// SPDX-License-Identifier: Apache-2.0
'use strict';

// The app's SQLite databases. docs/SQL.md has methods, limits and errors.

const { HostError } = require('./errors.js');
const { EMPTY } = require('./wire.js');
const { VALUES_MAX } = require('./json.js');
const { ask } = require('./sqlchannel.js');
const { Blobs, encodeParams, decodeRows, asObject, hidden, exact } = require('./sqlvalues.js');
const { isWellFormed } = require('./text.js');

const FRAME_MAX = 1_048_576;

/** What a database and a transaction have in common. */
class Statements {
  constructor(name, tail) {
    this.name = name;
    this._named = JSON.stringify(name);
    this._tail = tail; // What ends `params` in a request.
  }

  /**
   * All rows, as objects; with `{ rows: 'array' }` as arrays. A result that does not fit one frame
   * is asked for again as a stream.
   */
  async query(sql, params = [], options = {}) {
    const blobs = new Blobs();
    const text = '"method":"sql.query","params":' + this._statement(sql, params, blobs) +
      ',"safeIntegers":true' + this._tail + meta(options);
    let reply;
    try {
      reply = await ask(text, blobs.body());
    } catch (error) {
      if (error.code !== 'sql.too_large') throw error;
      return this._gathered(sql, params, options);
    }
    return decodeRows(reply.result, reply.body, reply.text, options.rows === 'array');
  }

  /** The first row, or undefined. */
  async get(sql, params = [], options = {}) {
    return (await this.query(sql, params, options))[0];
  }

  /** The rows as they come, however many there are. Leaving the loop stops the statement. */
  async *stream(sql, params = [], options = {}) {
    for await (const page of this._pages(sql, params, options)) yield* page;
  }

  /** `{ changes, lastInsertRowId }`. */
  async execute(sql, params = [], options = {}) {
    const blobs = new Blobs();
    const text = '"method":"sql.execute","params":' + this._statement(sql, params, blobs) +
      ',"safeIntegers":true' + this._tail + meta(options);
    return outcome((await ask(text, blobs.body())).result);
  }

  /** Statements in one transaction, all or none: SQL, `[sql, params]` or `{ sql, params }`. */
  async batch(statements, options = {}) {
    const blobs = new Blobs();
    const list = [];
    let values = 0;
    for (const one of statements) {
      const [sql, params = []] = typeof one === 'string' ? [one]
        : Array.isArray(one) ? one : [one.sql, one.params];
      list.push('{"sql":' + quote(sql) + ',"params":' + encodeParams(params, blobs) + '}');
      values += 4 + Object.keys(params).length;
    }
    if (values > VALUES_MAX) {
      throw new HostError(
        'params.size',
        `${values} values in one batch, ${VALUES_MAX} fit; use executeMany, or a transaction`,
      );
    }
    return this._batch(list, blobs.body(), options);
  }

  /** A statement once for each row of values, in one transaction, all or none. */
  async executeMany(sql, rows, options = {}) {
    const { encode } = require('./columns.js');
    const room = FRAME_MAX - Buffer.byteLength(quote(sql)) - 512;
    const chunks = [...cut(encode, Array.isArray(rows) ? rows : [...rows], room)];
    if (chunks.length === 0) return { changes: 0, lastInsertRowId: 0 };
    if (chunks.length === 1) return this._many(sql, chunks[0], options);
    return this._atomically(async (place) => {
      let changes = 0;
      let last;
      for (const chunk of chunks) {
        last = await place._many(sql, chunk, options);
        changes += last.changes;
      }
      return { changes, lastInsertRowId: last.lastInsertRowId };
    });
  }

  /** What SQLite would do: `readOnly`, `parameters`, `columns` and the `plan`. */
  async explain(sql) {
    const text = '"method":"sql.explain","params":{"database":' + this._named + ',"sql":' +
      quote(sql) + '}}';
    return (await ask(text, EMPTY)).result;
  }

  async _many(sql, chunk, options) {
    const part = '{"sql":' + quote(sql) + ',"rows":{"body":[0,' + chunk.length + ']}}';
    return (await this._batch([part], chunk, options))[0];
  }

  async _batch(list, given, options) {
    const request = '"method":"sql.batch","params":{"database":' + this._named +
      ',"statements":[' + list.join(',') + '],"safeIntegers":true' + this._tail + meta(options);
    const { result, body } = await ask(request, given);
    // Objects within objects: each value is looked at.
    return result.results.map((one) =>
      one.rows === undefined ? outcome(one)
        : decodeRows(one, body, '{{{', options.rows === 'array'));
  }

  async _gathered(sql, params, options) {
    const rows = [];
    for await (const page of this._pages(sql, params, options)) {
      for (const row of page) rows.push(row);
      hidden(rows, 'columns', page.columns);
    }
    return rows;
  }

  /** A streamed result chunk by chunk; at least one page, for its columns. */
  async *_pages(sql, params, options) {
    const { Chunks, decode } = require('./columns.js');
    const blobs = new Blobs();
    const text = '"method":"sql.query","params":' + this._statement(sql, params, blobs) +
      ',"stream":true' + this._tail + meta(options);
    const { result, body, stream } = await ask(text, blobs.body());
    const { columns } = result;
    const chunks = new Chunks();
    const make = options.rows === 'array' ? (row) => row : asObject(columns);
    const page = (piece) => {
      const rows = chunks.feed(piece).flatMap((chunk) => decode(chunk)).map((row) => make(row));
      hidden(rows, 'columns', columns);
      return rows;
    };
    yield page(body);
    if (stream !== null) for await (const piece of stream) yield page(piece);
  }

  _statement(sql, params, blobs) {
    return '{"database":' + this._named + ',"sql":' + quote(sql) +
      ',"params":' + encodeParams(params, blobs);
  }
}

class Database extends Statements {
  constructor(name) {
    super(name, '}');
  }

  /**
   * `await db.transaction(async (tx) => { … })`: commits when the function is done, rolls back if
   * it throws, and gives what it gave. The host ends it after `timeout` milliseconds (5,000 by
   * default, 60,000 at most). Mode `write` has the database's writer to itself; `read` keeps
   * seeing the database as it was. If all statements are known beforehand `batch` is quicker.
   */
  async transaction(work, options = {}) {
    const tx = await this.begin(options);
    let given;
    try {
      given = await work(tx);
    } catch (error) {
      await tx.rollback().catch(() => {}); // The first error says more.
      throw error;
    }
    try {
      await tx.commit();
    } catch (error) {
      await tx.rollback().catch(() => {});
      throw error;
    }
    return given;
  }

  /** A transaction for `commit` or `rollback` to end. */
  async begin({ mode = 'write', timeout } = {}) {
    const limit = timeout === undefined ? ''
      : ',"deadlineMs":' + Math.max(1, Math.round(timeout));
    const text = '"method":"sql.begin","params":{"database":' + this._named + ',"mode":' +
      JSON.stringify(mode) + limit + '}}';
    return new Transaction(this.name, (await ask(text, EMPTY)).result.transaction);
  }

  /** Deletes the database. One of the manifest is made anew, empty. */
  async delete() {
    await ask('"method":"sql.delete","params":{"database":' + this._named + '}}', EMPTY);
  }

  /** Makes a database of that name, a copy of this one as it is now. */
  async copy(name) {
    await ask('"method":"sql.backup","params":{"database":' + this._named + ',"to":' +
      JSON.stringify(name) + '}}', EMPTY);
  }

  _atomically(work) {
    return this.transaction(work, { timeout: 60_000 });
  }
}

class Transaction extends Statements {
  constructor(name, number) {
    super(name, ',"transaction":' + number + '}');
    this._number = number;
    this._open = true;
  }

  /** Keeps what was done. If a constraint refuses it, the transaction stays open. */
  async commit() {
    if (!this._open) return;
    await this._finish('sql.commit');
    this._open = false;
  }

  /** Drops what was done. After the transaction's end it is harmless. */
  async rollback() {
    if (!this._open) return;
    this._open = false;
    try {
      await this._finish('sql.rollback');
    } catch (error) {
      if (error.code !== 'not_found.transaction') throw error;
    }
  }

  _finish(method) {
    return ask('"method":"' + method + '","params":{"transaction":' + this._number + '}}', EMPTY);
  }

  async _atomically(work) {
    await this.execute('SAVEPOINT bulkhead_many');
    try {
      const given = await work(this);
      await this.execute('RELEASE bulkhead_many');
      return given;
    } catch (error) {
      try {
        await this.execute('ROLLBACK TO bulkhead_many');
        await this.execute('RELEASE bulkhead_many');
      } catch {
        // The first error says more.
      }
      throw error;
    }
  }
}

/** The rows as chunks of at most `room` bytes. */
function* cut(encode, rows, room) {
  if (rows.length === 0) return;
  const chunk = encode(rows);
  if (chunk.length <= room) {
    yield chunk;
    return;
  }
  if (rows.length === 1) {
    throw new HostError('params.size', `a row of ${chunk.length} bytes; ${room} are allowed`);
  }
  // Not in halves: in parts of the size that fits if rows are alike.
  const fits = Math.floor((rows.length * room * 0.9) / chunk.length);
  const step = Math.max(1, Math.min(rows.length >> 1, fits));
  for (let at = 0; at < rows.length; at += step) yield* cut(encode, rows.slice(at, at + step), room);
}

function outcome({ changes, lastInsertRowId }) {
  return { changes, lastInsertRowId: exact(lastInsertRowId) };
}

function meta({ timeout }) {
  return timeout === undefined ? '}'
    : ',"meta":{"deadlineMs":' + Math.max(1, Math.round(timeout)) + '}}';
}

function quote(sql) {
  if (typeof sql !== 'string') throw new TypeError('a statement is a text');
  if (!isWellFormed(sql)) throw new HostError('params.text', 'text with a lone surrogate');
  return JSON.stringify(sql);
}

/** The database of that name, as the manifest or `create` has it. */
function open(name = 'main') {
  return new Database(name);
}

/** Makes a database beyond those of the manifest. */
async function create(name) {
  await ask('"method":"sql.create","params":{"database":' + JSON.stringify(name) + '}}', EMPTY);
  return new Database(name);
}

/** The app's databases: `name`, `bytes`, `walBytes`, `declared`. */
async function databases() {
  return (await ask('"method":"sql.databases","params":{}}', EMPTY)).result.databases;
}

module.exports = { open, create, databases, Database, Transaction };
