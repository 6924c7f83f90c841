// SPDX-License-Identifier: Apache-2.0
'use strict';

// The guest's end of the socket: handshake, requests both ways, streams, cancel, shutdown.

const { HostError } = require('./errors.js');
const { Wire, EMPTY } = require('./wire.js');
const { InputStream, OutputStream } = require('./streams.js');
const { encode } = require('./json.js');

const VERSION = '0.1.0';

/** Something the host asks. Answered exactly once. */
class Call {
  constructor(connection, id, method, params, meta, body, input) {
    this.connection = connection;
    this.id = id;
    this.method = method;
    this.params = params;
    this.meta = meta;
    this.body = body;
    this.input = input;
    this.cancelled = false;
    this.answered = false;
    this.onCancel = null;
  }

  /** The answer, as JSON text. `ascii` promises that the text holds nothing else. */
  answer(resultText, body, ascii) {
    const connection = this.connection;
    connection.wire.send(
      '{"jsonrpc":"2.0","id":' + identifier(this.id) + ',"result":' + resultText + '}', body, ascii,
    );
    this._done();
  }

  /** The answer, with a body that follows. */
  answerStream(resultText, first) {
    const connection = this.connection;
    const number = connection.nextStream++;
    const output = new OutputStream(connection, number, first.length, this.input);
    connection.wire.send(
      '{"jsonrpc":"2.0","id":' + identifier(this.id) + ',"result":' + resultText +
        ',"stream":' + number + '}',
      first,
    );
    connection.outputs.set(number, output);
    this.answered = true;
    connection.active.delete(this.id);
    return output;
  }

  respond(result, body = EMPTY) {
    this.answer(encode(result ?? {}), body, false);
  }

  fail(error) {
    if (this.answered) return;
    const host = error instanceof HostError ? error
      : new HostError('internal.app', `the app failed: ${error?.name ?? 'error'}`);
    this.connection.sendText(
      '{"jsonrpc":"2.0","id":' + identifier(this.id) + ',"error":' +
        JSON.stringify(host.wire()) + '}',
    );
    this._done();
  }

  _done() {
    this.answered = true;
    if (this.input !== null && !this.input.ended) this.input.stop();
    const connection = this.connection;
    connection.active.delete(this.id);
    if (connection.stopping) connection._finishIfIdle();
  }
}

class Connection {
  /** `handles`: methods that will be answered although `onRequest` names them only later. */
  constructor(fd, { handles = [] } = {}) {
    this.app = {};
    this.config = {};
    this.grants = {};
    this.limits = {};
    this.credit = 262_144;
    this.stopping = false;
    this.active = new Map();
    this.outputs = new Map();
    this.nextStream = 0;
    /** Called before the process exits; may return a promise. */
    this.onShutdown = null;
    this._inputs = new Map();
    this._calls = new Map();
    this._handlers = new Map();
    this._handles = handles;
    this._early = [];
    this._ready = false;
    this._waiting = [];
    this._nextId = 0;
    this._leaving = false;
    this.wire = new Wire(
      fd,
      (message, body, text) => this._took(message, body, text),
      null,
      (error) => this._end(error),
    );
  }

  /** `handler(call)` answers `method`: it returns `{result, body}` or a promise of it. */
  onRequest(method, handler) {
    this._handlers.set(method, (call) => answerWith(call, handler));
    this._retry(method);
  }

  /** `handler(call)` answers through the call itself. The quick way in for HTTP. */
  onCall(method, handler) {
    this._handlers.set(method, handler);
    this._retry(method);
  }

  /** Asks the host. Resolves with `{result, body, stream}`, rejects with HostError. */
  request(method, params = {}, { body = EMPTY, timeout, signal } = {}) {
    const meta = timeout === undefined ? ''
      : ',"meta":{"deadlineMs":' + Math.max(1, Math.round(timeout)) + '}';
    let text;
    try {
      text = '"method":' + JSON.stringify(method) + ',"params":' + encode(params) + meta + '}';
    } catch (error) {
      return Promise.reject(error);
    }
    return this.requestText(text, body, signal);
  }

  /** `request` with everything after the id already written. */
  requestText(text, body, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.wire.closed) return reject(gone());
      const id = this._nextId++;
      const entry = { resolve, reject, release: null };
      if (signal !== undefined && signal !== null) {
        const abort = () => {
          this.notify('$/cancel', { id });
          reject(signal.reason);
        };
        signal.addEventListener('abort', abort, { once: true });
        entry.release = () => signal.removeEventListener('abort', abort);
      }
      const send = () => {
        try {
          this.wire.send('{"jsonrpc":"2.0","id":' + id + ',' + text, body);
          this._calls.set(id, entry);
        } catch (error) {
          reject(error);
        }
      };
      if (this._ready) send();
      else this._waiting.push(send); // Nothing may be sent before the handshake.
    });
  }

  notify(method, params = {}, body = EMPTY) {
    const text = '{"jsonrpc":"2.0","method":' + JSON.stringify(method) +
      ',"params":' + encode(params) + '}';
    if (this._ready) this.wire.send(text, body);
    else this._waiting.push(() => this.wire.send(text, body));
  }

  sendText(text, body = EMPTY) {
    this.wire.send(text, body);
  }

  forgetOutput(number) {
    this.outputs.delete(number);
    if (this.stopping) this._finishIfIdle();
  }

  _took(message, body, text) {
    const method = message.method;
    if (method === undefined) this._complete(message, body, text);
    else if (message.id === undefined) this._notified(method, message.params, body);
    else this._asked(message, method, body);
  }

  _asked(message, method, body) {
    let input = null;
    if (message.stream !== undefined) {
      input = new InputStream(this, message.stream, body);
      this._inputs.set(message.stream, input);
      body = EMPTY;
    }
    const call = new Call(this, message.id, method, message.params, message.meta, body, input);
    const handler = this._handlers.get(method);
    if (handler !== undefined) {
      this.active.set(call.id, call);
      handler(call);
    } else if (method === 'ping') {
      call.respond({});
    } else if (method === 'initialize') {
      this._initialize(call);
    } else if (method === 'shutdown') {
      this.stopping = true;
      call.respond({});
    } else if (this._handles.includes(method)) {
      this.active.set(call.id, call);
      this._early.push(call);
    } else {
      call.fail(new HostError('method.unknown', `this guest does not answer ${method}`));
    }
  }

  _retry(method) {
    const early = this._early.filter((call) => call.method === method);
    this._early = this._early.filter((call) => call.method !== method);
    for (const call of early) this._handlers.get(method)(call);
  }

  _initialize(call) {
    const { protocol = [], app = {}, config = {}, grants = {}, limits = {} } = call.params;
    if (!protocol.includes(1)) {
      call.fail(new HostError('unsupported.protocol', 'this guest speaks protocol 1'));
      return;
    }
    Object.assign(this, { app, config, grants, limits });
    this.credit = limits.streamCredit ?? this.credit;
    this.wire.frameMax = limits.frameBytes ?? this.wire.frameMax;
    this.wire.jsonMax = limits.jsonBytes ?? this.wire.jsonMax;
    const handles = [...new Set([...this._handlers.keys(), ...this._handles])];
    call.respond({ protocol: 1, sdk: 'node/' + VERSION, handles });
    this._ready = true;
    for (const send of this._waiting.splice(0)) send();
  }

  _finishIfIdle() {
    if (this.active.size !== 0 || this.outputs.size !== 0 || this._leaving) return;
    this._leaving = true;
    Promise.resolve()
      .then(() => this.onShutdown?.())
      .catch((error) => console.error(error))
      .then(() => this.wire.finish(() => process.exit()));
  }

  _complete(message, body, text) {
    const entry = this._calls.get(message.id);
    if (entry === undefined) return;
    this._calls.delete(message.id);
    if (entry.release !== null) entry.release();
    if (message.error !== undefined) {
      entry.reject(HostError.of(message.error));
      return;
    }
    let stream = null;
    if (message.stream !== undefined) {
      stream = new InputStream(this, message.stream, body);
      this._inputs.set(message.stream, stream);
      body = EMPTY;
    }
    entry.resolve({ result: message.result, body, stream, text });
  }

  _notified(method, params, body) {
    switch (method) {
      case '$/data': {
        const input = this._inputs.get(params.stream);
        if (input === undefined) return;
        if (params.end) this._inputs.delete(params.stream);
        const error = params.error === undefined ? null
          : new HostError('cancelled.body', `the body stopped: ${params.error}`);
        input.feed(body, params.end === true, error);
        return;
      }
      case '$/credit':
        this.outputs.get(params.stream)?.grant(params.bytes);
        return;
      case '$/stop':
        this.outputs.get(params.stream)?.stop();
        return;
      case '$/cancel': {
        const call = this.active.get(params.id);
        if (call === undefined || call.cancelled) return;
        call.cancelled = true;
        if (call.onCancel !== null) call.onCancel();
        return;
      }
    }
  }

  _end(error) {
    const reason = error === null ? gone() : gone(error.message);
    if (error !== null && !this._leaving) console.error(error);
    for (const entry of this._calls.values()) entry.reject(reason);
    for (const input of this._inputs.values()) input.feed(EMPTY, true, reason);
    for (const call of this.active.values()) call.onCancel?.();
    this._calls.clear();
    this._inputs.clear();
    // Without a host there is nothing to do, whatever timers the app still has.
    if (!this._leaving) process.exit(error === null ? 0 : 1);
  }
}

async function answerWith(call, handler) {
  try {
    const outcome = await handler(call);
    if (call.answered) return;
    if (outcome !== null && typeof outcome === 'object' && 'result' in outcome) {
      call.respond(outcome.result, outcome.body);
    } else {
      call.respond(outcome);
    }
  } catch (error) {
    if (!(error instanceof HostError)) console.error(error);
    call.fail(error);
  }
}

function identifier(id) {
  return typeof id === 'number' ? id : JSON.stringify(id);
}

function gone(why) {
  return new HostError('internal.closed', why ?? 'the host has closed the connection', {
    retryable: true,
  });
}

let current = null;

/** The connection of this process, from `BULKHEAD_FD`. */
function connection() {
  if (current === null) {
    const fd = process.env.BULKHEAD_FD;
    if (fd === undefined) {
      throw new Error(
        'BULKHEAD_FD is not set: this program runs inside Bulkhead. ' +
          'Start it with `bulkhead dev` or install it.',
      );
    }
    current = new Connection(Number(fd), { handles: ['http.request'] });
  }
  return current;
}

module.exports = { Connection, Call, connection, VERSION };
