// SPDX-License-Identifier: Apache-2.0
'use strict';

// The short way to SQL: frames straight to the app's worker. Where it is absent or has ended, the
// first socket carries the same requests.

const { HostError } = require('./errors.js');
const { Wire, EMPTY } = require('./wire.js');
const { InputStream } = require('./streams.js');
const { connection } = require('./connection.js');

class Channel {
  constructor(fd) {
    this.credit = 262_144;
    this._calls = new Map();
    this._streams = new Map();
    this._nextId = 0;
    this.wire = new Wire(
      fd,
      (message, body, text) => this._took(message, body, text),
      () => this._rest(),
      () => this._end(),
    );
    this.wire.socket.unref();
  }

  request(text, body) {
    return new Promise((resolve, reject) => {
      const id = this._nextId++;
      this.wire.send('{"jsonrpc":"2.0","id":' + id + ',' + text, body);
      // While an answer is due the process has a reason to stay.
      if (this._calls.size === 0) this.wire.socket.ref();
      this._calls.set(id, { resolve, reject });
    });
  }

  sendText(text) {
    this.wire.send(text);
  }

  _took(message, body, text) {
    if (message.id === undefined) {
      this._data(message, body);
      return;
    }
    const entry = this._calls.get(message.id);
    if (entry === undefined) return;
    this._calls.delete(message.id);
    if (message.error !== undefined) {
      entry.reject(HostError.of(message.error));
      return;
    }
    let stream = null;
    if (message.stream !== undefined) {
      stream = new InputStream(this, message.stream, body);
      this._streams.set(message.stream, stream);
      body = EMPTY;
    }
    entry.resolve({ result: message.result, body, stream, text });
  }

  _data({ method, params }, body) {
    const stream = method === '$/data' ? this._streams.get(params.stream) : undefined;
    if (stream === undefined) return;
    if (params.end) this._streams.delete(params.stream);
    stream.feed(body, params.end === true, params.error === undefined ? null : told(params.error));
  }

  _rest() {
    if (this._calls.size === 0 && this._streams.size === 0) this.wire.socket.unref();
  }

  _end() {
    const error = new HostError(
      'upstream.sql',
      'the database worker ended with this statement under way; ' +
        'it may have been carried out or not',
    );
    for (const entry of this._calls.values()) entry.reject(error);
    for (const stream of this._streams.values()) stream.feed(EMPTY, true, error);
    this._calls.clear();
    this._streams.clear();
  }
}

/** `<data.code>: <message>` of a stream that broke off. */
function told(text) {
  const at = text.indexOf(': ');
  return at === -1 ? new HostError('sql.stream', text)
    : new HostError(text.slice(0, at), text.slice(at + 2));
}

let channel;

/** Asks the worker: everything of a request after its id, and its body. */
function ask(text, body) {
  if (channel === undefined) {
    const fd = process.env.BULKHEAD_SQL_FD;
    channel = fd === undefined ? null : new Channel(Number(fd));
  }
  if (channel !== null && !channel.wire.closed) return channel.request(text, body);
  return connection().requestText(text, body);
}

module.exports = { ask };
