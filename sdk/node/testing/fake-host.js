// SPDX-License-Identifier: Apache-2.0
'use strict';

// A host for tests: starts a guest on a socket pair (what `stdio: 'pipe'` is beyond the first
// three) and talks to it as the real one does. It keeps the contract itself and records every
// breach by the guest in `faults`.

const { spawn } = require('node:child_process');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const SDK = path.join(__dirname, '..');
const CREDIT = 262_144;

function pack(message, body = Buffer.alloc(0)) {
  const json = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4 + json.length + body.length, 0);
  head.writeUInt32BE(json.length, 4);
  return Buffer.concat([head, json, body]);
}

/** Cuts what arrives into frames. */
function frames(socket, take) {
  let rest = Buffer.alloc(0);
  socket.on('data', (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    while (rest.length >= 8) {
      const total = rest.readUInt32BE(0);
      const size = rest.readUInt32BE(4);
      if (total > 1_048_576 || size > 262_144 || size < 2 || size > total - 4) {
        throw new Error(`frame.length ${total} ${size}`);
      }
      if (rest.length < 4 + total) return;
      const message = JSON.parse(rest.toString('utf8', 8, 8 + size));
      const body = rest.subarray(8 + size, 4 + total);
      rest = rest.subarray(4 + total);
      take(message, body);
    }
  });
  socket.on('error', () => {});
}

/** The outcome of a request: the message once it is there, and its body as it comes. */
class Answer extends EventEmitter {
  constructor() {
    super();
    this.message = null;
    this.pieces = [];
    this.ended = false;
    this.error = undefined;
  }

  async head() {
    while (this.message === null) await once(this, 'change');
    return this.message;
  }

  async result() {
    const { result, error } = await this.head();
    if (result === undefined) throw new Error(JSON.stringify(error));
    return result;
  }

  async failure() {
    const { error } = await this.head();
    if (error === undefined) throw new Error('no error came');
    return error;
  }

  async status() {
    return (await this.result()).status;
  }

  async header(name) {
    return (await this.result()).headers.filter(([key]) => key.toLowerCase() === name)
      .map(([, value]) => value).join('|') || null;
  }

  async piece() {
    await this.result();
    while (this.pieces.length === 0 && !this.ended) await once(this, 'change');
    return this.pieces.shift() ?? null;
  }

  async body() {
    const parts = [];
    for (let piece; (piece = await this.piece()) !== null;) parts.push(piece);
    return Buffer.concat(parts);
  }

  async text() {
    return (await this.body()).toString();
  }
}

class FakeHost {
  /**
   * `code` is CommonJS, or an ES module if `module` is set. `sql(method, params, body)` answers with
   * `[result, body]`, and so does `vault` for secrets and keys; `host` has results by method.
   */
  constructor(code, { module = false, sql, vault, sqlSocket = true, grant = true, host = {} } = {}) {
    this.faults = [];
    this.errors = '';
    this.calls = [];
    this.notes = [];
    this.handlers = host;
    this.grant = grant;
    this.sql = sql;
    this.vault = vault;
    this.answers = new Map();
    this.streams = new Map();
    this.left = new Map();
    this.uploads = new Map();
    this.stopped = new Set();
    this.changed = new EventEmitter();
    this.next = 1;
    this.stream = 0;
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'bulkhead-'));
    const file = path.join(this.directory, module ? 'app.mjs' : 'app.js');
    fs.mkdirSync(path.join(this.directory, 'node_modules', '@bulkhead'), { recursive: true });
    fs.symlinkSync(SDK, path.join(this.directory, 'node_modules', '@bulkhead', 'guest'));
    fs.writeFileSync(file, code);
    const env = { PATH: process.env.PATH, BULKHEAD_FD: '3', BULKHEAD_PROTOCOL: '1' };
    if (sqlSocket) env.BULKHEAD_SQL_FD = '4';
    this.process = spawn(process.execPath, [file], {
      env, stdio: ['ignore', 'inherit', 'pipe', 'pipe', 'pipe'],
    });
    this.exited = once(this.process, 'exit').then(([code]) => code);
    this.process.stderr.on('data', (data) => (this.errors += data));
    this.socket = this.process.stdio[3];
    this.sqlSocket = this.process.stdio[4];
    frames(this.socket, (message, body) => this._took(message, body));
    frames(this.sqlSocket, (message, body) => this._serve(this.sqlSocket, message, body));
    this.hello = this._ask(0, 'initialize', {
      protocol: [1], host: { name: 'fake', version: '0' },
      app: { id: 'org.example.test', name: 'Test', version: '1', build: 1 },
      config: { colour: 'blue' },
      limits: { jsonBytes: 262_144, frameBytes: 1_048_576, toGuest: 16, toHost: 64,
        streamCredit: CREDIT },
      grants: {},
    });
  }

  http(method = 'GET', target = '/', { headers = [], body, identity = null, pieces, remote } = {}) {
    return this.ask('http.request', {
      method, target, headers, identity, remote: remote ?? { ip: '192.0.2.7', scheme: 'http' },
    }, body, pieces);
  }

  ask(method, params, body = Buffer.alloc(0), pieces) {
    const number = this.next++;
    const more = {};
    if (pieces !== undefined) {
      more.stream = this.stream++;
      this.uploads.set(more.stream, CREDIT - body.length);
    }
    const answer = this._ask(number, method, params, body, more);
    answer.number = number;
    answer.upload = more.stream;
    if (pieces !== undefined) this._upload(more.stream, pieces);
    return answer;
  }

  notify(method, params, body) {
    this.socket.write(pack({ jsonrpc: '2.0', method, params }, body));
  }

  /** Shuts the guest down; its exit code. */
  stop() {
    this._ask(this.next++, 'shutdown', { reason: 'stop', graceMs: 5000 });
    return this.exited;
  }

  async close() {
    this.socket.destroy();
    this.sqlSocket.destroy();
    await this.exited;
    fs.rmSync(this.directory, { recursive: true });
  }

  _ask(id, method, params, body, more = {}) {
    const answer = new Answer();
    this.answers.set(id, answer);
    this.socket.write(pack({ jsonrpc: '2.0', id, method, params, ...more }, body));
    return answer;
  }

  async _upload(name, pieces) {
    for await (let piece of pieces) {
      while (piece.length !== 0 && !this.stopped.has(name)) {
        const credit = this.uploads.get(name);
        if (credit === 0) {
          await once(this.changed, 'change');
          continue;
        }
        const count = Math.min(credit, piece.length, 65_536);
        this.uploads.set(name, credit - count);
        this.notify('$/data', { stream: name, end: false }, piece.subarray(0, count));
        piece = piece.subarray(count);
      }
    }
    this.notify('$/data', { stream: name, end: true });
  }

  _took(message, body) {
    const { method, params } = message;
    if (method === undefined) {
      this._answered(message, body);
    } else if (message.id !== undefined) {
      this._serve(this.socket, message, body);
    } else if (method === '$/data') {
      this._data(params, body);
    } else if (method === '$/credit') {
      this.uploads.set(params.stream, (this.uploads.get(params.stream) ?? 0) + params.bytes);
      this.changed.emit('change');
    } else if (method === '$/stop') {
      this.stopped.add(params.stream);
      this.changed.emit('change');
    } else {
      this.notes.push(message);
    }
  }

  _answered(message, body) {
    const answer = this.answers.get(message.id);
    if (answer === undefined) {
      this.faults.push(`response.unknown_id ${message.id}`);
      return;
    }
    this.answers.delete(message.id);
    answer.message = message;
    if (body.length !== 0) answer.pieces.push(body);
    if (message.stream === undefined) {
      answer.ended = true;
    } else {
      if (this.streams.has(message.stream)) this.faults.push('a stream number used twice');
      this.streams.set(message.stream, answer);
      this.left.set(message.stream, CREDIT - body.length);
      this.grantCredit(message.stream, body.length);
    }
    answer.emit('change');
  }

  grantCredit(name, count) {
    if (!this.grant || count === 0) return;
    this.left.set(name, this.left.get(name) + count);
    this.notify('$/credit', { stream: name, bytes: count });
  }

  _data({ stream, end, error }, body) {
    const answer = this.streams.get(stream);
    if (answer === undefined) {
      this.faults.push(`stream.unknown ${stream}`);
      return;
    }
    this.left.set(stream, this.left.get(stream) - body.length);
    if (this.left.get(stream) < 0) this.faults.push('stream.credit');
    if (body.length !== 0) answer.pieces.push(body);
    if (end) {
      answer.ended = true;
      answer.error = error;
      this.streams.delete(stream);
    } else {
      this.grantCredit(stream, body.length);
    }
    answer.emit('change');
  }

  _serve(socket, { id, method, params, meta }, body) {
    if (id === undefined) return;
    this.calls.push({ method, params, meta, body, short: socket === this.sqlSocket });
    const reply = { jsonrpc: '2.0', id };
    let out;
    try {
      if (method.startsWith('sql.')) [reply.result, out] = this.sql(method, params, body);
      else if (/^(secrets|keys)\./.test(method)) [reply.result, out] = this.vault(method, params, body);
      else if (this.handlers[method] !== undefined) reply.result = this.handlers[method](params);
      else throw { code: -32601, message: 'no', data: { code: 'method.unknown', retryable: false } };
    } catch (error) {
      if (error instanceof Error) throw error;
      delete reply.result;
      reply.error = error;
    }
    if (reply.result !== null) socket.write(pack(reply, out));
  }
}

/** A guest for a test: closed after it, and then looked at for breaches. */
function guest(t, code, options) {
  const host = new FakeHost(code, options);
  t.after(async () => {
    await host.close();
    if (host.faults.length !== 0) throw new Error(host.faults.join(', '));
  });
  return host;
}

module.exports = { guest, pack, Answer };
