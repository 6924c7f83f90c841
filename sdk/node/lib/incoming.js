// SPDX-License-Identifier: Apache-2.0
'use strict';

// A request as node:http shows it, without its parser and, until somebody reads the body, without
// its stream: the object is made anew for each request, so what most handlers never touch is made
// when touched. It has http.IncomingMessage in its chain of prototypes: `instanceof` holds.

const http = require('node:http');
const { EventEmitter } = require('node:events');
const { Readable } = require('node:stream');
const { byteText } = require('./headers.js');

function IncomingRequest(call) {
  const { params } = call;
  this.method = params.method;
  this.url = params.target;
  this.call = call;
}

const base = http.IncomingMessage.prototype;
const proto = IncomingRequest.prototype;
Object.setPrototypeOf(proto, base);
Object.setPrototypeOf(IncomingRequest, http.IncomingMessage);

proto.httpVersion = '1.1';
proto.httpVersionMajor = 1;
proto.httpVersionMinor = 1;
proto.complete = true;
proto.aborted = false;
proto.upgrade = false;
proto.statusCode = null;
proto.statusMessage = null;

/** An accessor that makes its value at first use and then is a plain property. */
function lazy(name, make) {
  Object.defineProperty(proto, name, {
    configurable: true,
    get() {
      const value = make(this);
      put(this, name, value);
      return value;
    },
    set(value) {
      put(this, name, value);
    },
  });
}

function put(object, name, value) {
  Object.defineProperty(object, name, {
    value, writable: true, configurable: true, enumerable: true,
  });
}

lazy('rawHeaders', (request) => {
  const raw = [];
  for (const [name, value] of request.call.params.headers) raw.push(name, byteText(value));
  return raw;
});

lazy('headers', (request) => {
  const headers = {};
  // node:http's own rules for what is joined and what is dropped.
  for (const [name, value] of request.call.params.headers) {
    request._addHeaderLine(name, byteText(value), headers);
  }
  return headers;
});

lazy('headersDistinct', (request) => {
  const headers = Object.create(null);
  for (const [name, value] of request.call.params.headers) {
    (headers[name.toLowerCase()] ??= []).push(byteText(value));
  }
  return headers;
});

lazy('trailers', () => ({}));
lazy('trailersDistinct', () => ({}));
lazy('rawTrailers', () => []);
lazy('socket', (request) => new Socket(request));

/** Who signed on, or null: `{id, name, groups}`. */
lazy('identity', (request) => request.call.params.identity ?? null);

Object.defineProperty(proto, 'connection', {
  configurable: true,
  get() {
    return this.socket;
  },
  set(value) {
    this.socket = value;
  },
});

// Everything a Readable does begins with its state.
lazy('_readableState', (request) => {
  Readable.call(request, { highWaterMark: 65_536 });
  const state = Object.getOwnPropertyDescriptor(request, '_readableState').value;
  state.emitClose = true;
  request._begin();
  return state;
});

Object.defineProperty(proto, '_readableState', {
  ...Object.getOwnPropertyDescriptor(proto, '_readableState'),
  enumerable: false,
});

proto._begin = function () {
  const { call } = this;
  if (call.input === null) return;
  this.complete = false;
  call.input.onReadable = () => this._pull();
};

proto._read = function () {
  const { call } = this;
  if (call.input !== null) {
    this._wanted = true;
    this._pull();
    return;
  }
  if (call.body.length !== 0) this.push(call.body);
  this.push(null);
};

proto._pull = function () {
  const { input } = this.call;
  while (this._wanted) {
    const piece = input.take();
    if (piece !== null) {
      this._wanted = this.push(piece);
    } else if (input.ended) {
      this._wanted = false;
      if (input.error !== null) {
        this.aborted = true;
        this.destroy(input.error);
      } else {
        this.complete = true;
        this.push(null);
      }
    } else {
      return;
    }
  }
};

proto._destroy = function (error, callback) {
  const { input } = this.call;
  if (input !== null && !this.complete) {
    input.onReadable = null;
    input.stop();
  }
  process.nextTick(callback, error);
};

proto._dump = function () {
  this.call.input?.stop();
};

proto.setTimeout = function (_time, callback) {
  if (callback !== undefined) this.on('timeout', callback);
  return this;
};

/** The client has gone. */
proto._abort = function () {
  this.aborted = true;
  if (this._events === undefined) return;
  this.emit('aborted');
  if (!this.destroyed) {
    const error = Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
    this.destroy(this.listenerCount('error') > 0 ? error : null);
  }
};

/** What handlers ask of `req.socket`: facts about the client, and events nobody needs. */
class Socket extends EventEmitter {
  constructor(request) {
    super();
    const { remote } = request.call.params;
    this._request = request;
    this.remoteAddress = remote?.ip;
    this.remoteFamily = this.remoteAddress?.includes(':') ? 'IPv6' : 'IPv4';
    this.remotePort = 0;
    this.localAddress = '127.0.0.1';
    this.localPort = 0;
    this.encrypted = remote?.scheme === 'https';
    this.readable = true;
    this.writable = true;
    this.destroyed = false;
    this.bytesRead = 0;
    this.bytesWritten = 0;
  }

  address() {
    return { address: this.localAddress, family: 'IPv4', port: this.localPort };
  }

  destroy(error) {
    this.destroyed = true;
    this.writable = false;
    this._request._response?.destroy(error);
    return this;
  }

  destroySoon() {
    this.destroy();
  }

  end() {
    return this;
  }

  setTimeout() {
    return this;
  }

  setNoDelay() {
    return this;
  }

  setKeepAlive() {
    return this;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  pause() {
    return this;
  }

  resume() {
    return this;
  }

  cork() {}

  uncork() {}
}

module.exports = { IncomingRequest };
