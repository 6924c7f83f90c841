// SPDX-License-Identifier: Apache-2.0
'use strict';

// `fetch(request) → response` handlers with the platform's own Request and Response.

const { connection } = require('./connection.js');
const { HostError } = require('./errors.js');
const { FieldList, field } = require('./headers.js');
const { EMPTY } = require('./wire.js');
const { WHOLE_MAX } = require('./outgoing.js');
const { WebRequest } = require('./request.js');
const { WebResponse, Platform, install } = require('./response.js');

const FIRST_MAX = 65_536;
const TEXT = '["content-type","text/plain;charset=UTF-8"]';
const FAILED = '{"status":500,"headers":[["content-type","text/plain; charset=utf-8"]]}';

/** Serves `{ fetch(request, context) }`, or the function itself. */
function serve(handler, { connection: link = connection() } = {}) {
  const fetch = typeof handler === 'function' ? handler : handler?.fetch?.bind(handler);
  if (typeof fetch !== 'function') {
    throw new TypeError('serve takes { fetch(request) { … } } or the function itself');
  }
  install();
  link.onCall('http.request', (call) => {
    const request = new WebRequest(call);
    call.onCancel = () => cancelled(call, request);
    let outcome;
    try {
      outcome = fetch(request, context(call));
    } catch (error) {
      failed(call, error);
      return;
    }
    if (typeof outcome?.then !== 'function') finish(call, outcome);
    else outcome.then((response) => finish(call, response), (error) => failed(call, error));
  });
  return link;
}

function context(call) {
  return {
    identity: call.params.identity ?? null,
    remote: call.params.remote ?? {},
    app: call.connection.app,
    config: call.connection.config,
  };
}

function cancelled(call, request) {
  request.abort();
  call.reader?.cancel().catch(() => {});
  call.fail(new HostError('cancelled.request', 'cancelled'));
}

function failed(call, error) {
  if (call.cancelled) return;
  console.error(error);
  if (!call.answered) call.answer(FAILED, 'Internal Server Error\n', true);
}

function finish(call, response) {
  try {
    if (!answerSimple(call, response)) respond(call, response);
  } catch (error) {
    failed(call, error);
  }
}

/** The common case: a text or bytes, and a few header fields. */
function answerSimple(call, response) {
  const simple = WebResponse.simple(response);
  if (simple === null || call.answered) return false;
  const { status, headers, body } = simple;
  let fields = '';
  let typed = typeof body !== 'string';
  if (headers !== undefined) {
    if (Object.getPrototypeOf(headers) !== Object.prototype) return false;
    for (const name of Object.keys(headers)) {
      fields += (fields === '' ? '' : ',') + field(name, String(headers[name]).trim());
      if (name.length === 12 && name.toLowerCase() === 'content-type') typed = true;
    }
  }
  if (!typed) fields += (fields === '' ? '' : ',') + TEXT;
  const bytes = body === null ? EMPTY : body instanceof ArrayBuffer ? new Uint8Array(body) : body;
  if (bytes.length > WHOLE_MAX / 3) return false;
  call.answer('{"status":' + status + ',"headers":[' + fields + ']}', bytes, true);
  return true;
}

function respond(call, response) {
  if (!(response instanceof Platform)) {
    throw new TypeError('the fetch handler must return a Response');
  }
  if (call.answered) {
    response.body?.cancel().catch(() => {});
    return;
  }
  const fields = new FieldList();
  for (const [name, value] of response.headers) {
    if (name === 'set-cookie') fields.append(name, value);
    else fields.set(name, value);
  }
  // Response.error() has status 0.
  const status = response.status === 0 ? 502 : response.status;
  const head = '{"status":' + status + ',"headers":' + fields.json() + '}';
  if (response.body === null) call.answer(head, EMPTY, true);
  else new Body(call, head, response.body).run().catch((error) => failed(call, error));
}

/** A body on its way: whole if its source ends within the turn, a stream otherwise. */
class Body {
  constructor(call, head, source) {
    this.call = call;
    this.head = head;
    this.reader = call.reader = source.getReader();
    this.pieces = [];
    this.length = 0;
    this.output = null;
    this.ended = false;
  }

  async run() {
    setImmediate(() => {
      if (!this.ended && !this.call.answered) this.begin();
    });
    try {
      while (true) {
        const { done, value } = await this.reader.read();
        if (this.call.cancelled || this.output?.stopped) return;
        if (done) break;
        await this.put(bytes(value));
      }
    } catch (error) {
      this.ended = true;
      if (this.output === null) throw error;
      console.error(error);
      this.output.end('the app failed');
      return;
    }
    this.finish();
  }

  async put(piece) {
    if (this.output !== null) {
      if (!this.output.write(piece)) await this.drained();
      return;
    }
    this.pieces.push(piece);
    this.length += piece.length;
    if (this.length > WHOLE_MAX) this.begin();
  }

  finish() {
    this.ended = true;
    if (this.output !== null) this.output.end();
    else if (!this.call.answered) this.call.answer(this.head, this.joined(), true);
  }

  begin() {
    const body = this.joined();
    const first = Math.min(FIRST_MAX, this.call.connection.credit);
    this.output = this.call.answerStream(this.head, body.subarray(0, first));
    this.pieces = [];
    if (body.length > first) this.output.write(body.subarray(first));
    const { output, reader } = this;
    output.onDrain = () => {
      if (output.stopped) reader.cancel().catch(() => {});
      this.resume?.();
    };
  }

  joined() {
    return this.pieces.length === 1 ? this.pieces[0] : Buffer.concat(this.pieces);
  }

  drained() {
    return new Promise((resolve) => (this.resume = resolve));
  }
}

function bytes(value) {
  if (value instanceof Uint8Array) return value;
  throw new TypeError('a body stream must give Uint8Array pieces');
}

module.exports = { serve };
