// SPDX-License-Identifier: Apache-2.0
'use strict';

// A response as node:http shows it. A response that is whole by the end of the turn it began in
// leaves as one frame; otherwise its head leaves then, and the body follows as a stream.

const http = require('node:http');
const { FieldList, field } = require('./headers.js');
const { EMPTY } = require('./wire.js');
const { HostError } = require('./errors.js');

const WHOLE_MAX = 786_000;
const FIRST_MAX = 65_536;
const WAITING_MAX = 65_536;

function OutgoingResponse(call, request) {
  this.call = call;
  this.req = request;
  this.statusCode = 200;
  this._fields = null;
  this._head = null; // JSON of the result, once decided.
  this._pieces = null; // What was written and has not left.
  this._pending = 0;
  this._output = null;
  this._ended = false;
  this._gone = false;
}

const proto = OutgoingResponse.prototype;
Object.setPrototypeOf(proto, http.ServerResponse.prototype);
Object.setPrototypeOf(OutgoingResponse, http.ServerResponse);

proto.statusMessage = undefined;
proto.sendDate = false;
proto.shouldKeepAlive = true;
proto.chunkedEncoding = false;
proto.useChunkedEncodingByDefault = true;
proto.strictContentLength = false;
proto.writable = true;
proto._hasBody = true;
proto._trailer = '';
proto._closed = false;
proto._removedConnection = false;
proto._removedContLen = false;
proto._removedTE = false;
proto._defaultKeepAlive = true;
proto._sent100 = false;
proto._expect_continue = false;

function accessor(name, get, set) {
  Object.defineProperty(proto, name, { configurable: true, get, set });
}

accessor('socket', function () {
  return this._gone ? null : this.req.socket;
}, function () {});
accessor('connection', function () {
  return this.socket;
}, function () {});
accessor('headersSent', function () {
  return this._head !== null;
});
// What on-headers, compression and older frameworks look at.
accessor('_header', function () {
  return this._head;
}, function () {});
accessor('_headerSent', function () {
  return this._head !== null;
}, function () {});
accessor('_headers', function () {
  return this.getHeaders();
}, function () {});
accessor('finished', function () {
  return this._ended;
}, function () {});
accessor('writableEnded', function () {
  return this._ended;
});
accessor('writableFinished', function () {
  return this._ended && this.writableLength === 0 && this.call.answered;
});
accessor('writableLength', function () {
  return this._pending + (this._output === null ? 0 : this._output.waiting);
});
accessor('writableHighWaterMark', () => WAITING_MAX);
accessor('writableCorked', () => 0);
accessor('writableObjectMode', () => false);
accessor('writableNeedDrain', function () {
  return !this._gone && !this._ended && this._needDrain === true;
});
accessor('errored', function () {
  return this._error ?? null;
});
accessor('closed', function () {
  return this._closed;
});
accessor('destroyed', function () {
  return this._gone;
}, function (value) {
  this._gone = value;
});

// Header fields.

proto._open = function (what) {
  if (this._head !== null) {
    const message = `Cannot ${what} headers after they are sent to the client`;
    throw coded('ERR_HTTP_HEADERS_SENT', message);
  }
  return (this._fields ??= new FieldList());
};

proto.setHeader = function (name, value) {
  this._open('set').set(name, value);
  return this;
};

proto.appendHeader = function (name, value) {
  this._open('append').append(name, value);
  return this;
};

proto.setHeaders = function (headers) {
  const list = this._open('set');
  const cookies = [];
  for (const [name, value] of headers) {
    if (name === 'set-cookie') cookies.push(...[].concat(value));
    else list.set(name, value);
  }
  if (cookies.length !== 0) list.set('set-cookie', cookies);
  return this;
};

proto.getHeader = function (name) {
  return this._fields === null ? undefined : this._fields.get(name);
};

proto.hasHeader = function (name) {
  return this.getHeader(name) !== undefined;
};

proto.removeHeader = function (name) {
  this._open('remove').delete(name);
};

proto.getHeaders = function () {
  const headers = Object.create(null);
  const items = this._fields === null ? [] : this._fields.items;
  for (let at = 0; at < items.length; at += 4) headers[items[at]] = items[at + 2];
  return headers;
};

proto.getHeaderNames = function () {
  return Object.keys(this.getHeaders());
};

proto.getRawHeaderNames = function () {
  const items = this._fields === null ? [] : this._fields.items;
  return items.filter((_, at) => at % 4 === 1);
};

proto._renderHeaders = function () {
  return this.getHeaders();
};

proto.addTrailers = function () {};
proto.writeContinue = function (callback) {
  if (callback !== undefined) process.nextTick(callback);
};
proto.writeProcessing = proto.writeContinue;
proto.writeEarlyHints = function (_hints, callback) {
  if (callback !== undefined) process.nextTick(callback);
};
proto.assignSocket = function () {};
proto.detachSocket = function () {};
proto.cork = function () {};
proto.uncork = function () {};

// Head.

proto.writeHead = function (status, message, headers) {
  if (this._head !== null) {
    throw coded('ERR_HTTP_HEADERS_SENT', 'Cannot write headers after they are sent to the client');
  }
  status |= 0;
  if (status < 200 || status > 599) {
    throw coded('ERR_HTTP_INVALID_STATUS_CODE', `Invalid status code: ${status}`, RangeError);
  }
  if (typeof message === 'string') this.statusMessage = message;
  else headers ??= message;
  this.statusCode = status;
  if (headers !== undefined && headers !== null) {
    if (this._fields === null && !Array.isArray(headers)) {
      this._head = resultJSON(status, objectJSON(headers));
      return this;
    }
    this._merge(headers);
  }
  this._head = resultJSON(status, this._fields === null ? '[]' : this._fields.json());
  return this;
};

proto._merge = function (headers) {
  const list = (this._fields ??= new FieldList());
  if (!Array.isArray(headers)) {
    for (const name of Object.keys(headers)) list.set(name, headers[name]);
    return;
  }
  // Pairs, or names and values in turn.
  const pairs = Array.isArray(headers[0]) ? headers
    : Array.from({ length: headers.length >> 1 }, (_, at) => headers.slice(at * 2, at * 2 + 2));
  for (const [name] of pairs) list.delete(name);
  for (const [name, value] of pairs) list.append(name, value);
};

function objectJSON(headers) {
  let out = '';
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    const json = field(name, value);
    if (json !== '') out += out === '' ? json : ',' + json;
  }
  return '[' + out + ']';
}

function resultJSON(status, fields) {
  return '{"status":' + status + ',"headers":' + fields + '}';
}

proto._implicitHeader = function () {
  this.writeHead(this.statusCode);
};

proto.flushHeaders = function () {
  if (this._head === null) this._implicitHeader();
  this._schedule();
};

// Body.

proto.write = function (chunk, encoding, callback) {
  if (typeof encoding === 'function') {
    callback = encoding;
    encoding = undefined;
  }
  if (this._ended || this._gone) {
    const error = this._ended ? coded('ERR_STREAM_WRITE_AFTER_END', 'write after end')
      : coded('ERR_STREAM_DESTROYED', 'Cannot call write after a stream was destroyed');
    process.nextTick(() => {
      if (callback !== undefined) callback(error);
      if (!this._gone) this.emit('error', error);
    });
    return false;
  }
  if (this._head === null) this._implicitHeader();
  this._put(chunk, encoding);
  if (callback !== undefined) process.nextTick(callback);
  const full = this.writableLength >= WAITING_MAX;
  if (full) this._needDrain = true;
  return !full;
};

proto.end = function (chunk, encoding, callback) {
  if (typeof chunk === 'function') {
    callback = chunk;
    chunk = undefined;
  } else if (typeof encoding === 'function') {
    callback = encoding;
    encoding = undefined;
  }
  if (this._ended) {
    const error = coded('ERR_STREAM_ALREADY_FINISHED', 'end was called before');
    if (callback !== undefined) process.nextTick(callback, error);
    return this;
  }
  if (callback !== undefined) this.once('finish', callback);
  if (this._head === null) this._implicitHeader();
  this._ended = true;
  if (this._gone) return this;
  if (this._output === null && this._pieces === null &&
      (chunk === undefined || chunk === null || typeof chunk === 'string')) {
    this._whole(chunk ?? '', encoding);
  } else {
    if (chunk !== undefined && chunk !== null) this._put(chunk, encoding);
    this._flush();
  }
  return this;
};

proto._put = function (chunk, encoding) {
  if (typeof chunk === 'string') chunk = Buffer.from(chunk, encoding);
  else if (!(chunk instanceof Uint8Array)) {
    const message = 'The "chunk" argument must be a string, a Buffer or a Uint8Array';
    throw coded('ERR_INVALID_ARG_TYPE', message, TypeError);
  }
  if (chunk.length === 0) {
    this._schedule();
    return;
  }
  if (this._output !== null) {
    this._output.write(chunk);
    return;
  }
  (this._pieces ??= []).push(chunk);
  this._pending += chunk.length;
  this._schedule();
};

/** At the end of this turn what there is leaves, unless `end` came first. */
proto._schedule = function () {
  if (this._scheduled === true || this._output !== null || this._ended) return;
  this._scheduled = true;
  setImmediate(flushLater, this);
};

function flushLater(response) {
  response._scheduled = false;
  if (!response._ended && !response._gone) response._flush();
}

/** The common case: a body that is one text, in one frame. */
proto._whole = function (text, encoding) {
  const plain = encoding === undefined || encoding === 'utf8' || encoding === 'utf-8';
  const body = plain ? text : Buffer.from(text, encoding);
  if (body.length > WHOLE_MAX / 3) {
    this._put(plain ? Buffer.from(text) : body);
    this._flush();
    return;
  }
  this.call.answer(this._head, body, true);
  this._settle();
};

proto._flush = function () {
  const pieces = this._pieces;
  const output = this._output;
  if (output !== null) {
    if (this._ended) {
      output.end();
      if (output.closed) this._settle();
    }
    return;
  }
  this._pieces = null;
  this._pending = 0;
  const body = pieces === null ? EMPTY : pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  if (this._ended && body.length <= WHOLE_MAX) {
    this.call.answer(this._head, body, true);
    this._settle();
  } else {
    this._stream(body);
  }
};

proto._stream = function (body) {
  const { call } = this;
  if (call.cancelled) {
    this.destroy();
    return;
  }
  const first = Math.min(FIRST_MAX, call.connection.credit);
  const output = (this._output = call.answerStream(this._head, body.subarray(0, first)));
  output.onDrain = () => this._drained();
  if (body.length > first) output.write(body.subarray(first));
  if (this._ended) output.end();
  if (output.closed) this._settle();
  else if (output.waiting === 0) this._drained();
};

proto._drained = function () {
  const output = this._output;
  if (output.stopped) {
    this._aborted();
  } else if (this._ended) {
    if (output.closed) this._settle();
  } else if (this._needDrain === true) {
    this._needDrain = false;
    this.emit('drain');
  }
};

/** All has left. */
proto._settle = function () {
  if (this._settled === true) return;
  this._settled = true;
  if (this._events === undefined && this.req._events === undefined) {
    this._closed = true;
    return;
  }
  process.nextTick(settled, this);
};

function settled(response) {
  response.emit('prefinish');
  response.emit('finish');
  response._closed = true;
  response.emit('close');
  const request = response.req;
  if (request._events !== undefined && !request.destroyed) {
    // As node:http: what nobody read of the body is dropped, so that `end` and `close` come.
    if (request.call.input === null || request.complete) request.resume();
    else request.destroy();
  }
}

proto.destroy = function (error) {
  if (this._gone) return this;
  this._gone = true;
  this._error = error ?? null;
  const { call } = this;
  if (this._output !== null) this._output.end('the app gave up');
  else if (!call.answered) call.fail(new HostError('internal.app', 'the app gave up the response'));
  this._left();
  if (error !== undefined && error !== null && this.listenerCount('error') > 0) {
    process.nextTick(() => this.emit('error', error));
  }
  return this;
};

/** The client has gone. */
proto._aborted = function () {
  if (this._gone || this._settled === true) return;
  this._gone = true;
  const { call } = this;
  if (!call.answered) call.fail(new HostError('cancelled.request', 'cancelled'));
  this.req._abort();
  this._left();
};

proto._left = function () {
  this._pieces = null;
  this._pending = 0;
  this._closed = true;
  if (Object.hasOwn(this.req, 'socket')) {
    const { socket } = this.req;
    socket.writable = false;
    socket.destroyed = true;
    process.nextTick(() => socket.emit('close'));
  }
  if (this._events !== undefined) process.nextTick(() => this.emit('close'));
};

function coded(code, message, Kind = Error) {
  return Object.assign(new Kind(message), { code });
}

module.exports = { OutgoingResponse, WHOLE_MAX };
