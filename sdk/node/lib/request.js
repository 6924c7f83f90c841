// SPDX-License-Identifier: Apache-2.0
'use strict';

// A Request that becomes the platform's own at first need. Making one costs more than the rest of
// a small request together, and most handlers ask for `method`, `url`, `headers` and a body only.

const { byteText } = require('./headers.js');

class WebRequest {
  #call;
  #real = null;
  #headers = null;
  #url = null;
  #used = false;
  #controller = null;

  constructor(call) {
    this.#call = call;
  }

  get method() {
    return this.#call.params.method;
  }

  get url() {
    return (this.#url ??= address(this.#call.params));
  }

  get headers() {
    if (this.#real !== null) return this.#real.headers;
    return (this.#headers ??= fields(this.#call.params.headers));
  }

  get signal() {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#call.cancelled) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** The client has gone. */
  abort() {
    this.#controller?.abort();
  }

  get bodyUsed() {
    return this.#real === null ? this.#used : this.#real.bodyUsed;
  }

  get body() {
    return this.#whole().body;
  }

  async text() {
    if (!this.#simple()) return this.#whole().text();
    return new TextDecoder().decode(this.#take());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async arrayBuffer() {
    if (!this.#simple()) return this.#whole().arrayBuffer();
    const body = this.#take();
    return body.buffer.slice(body.byteOffset, body.byteOffset + body.length);
  }

  async bytes() {
    return new Uint8Array(await this.arrayBuffer());
  }

  blob() {
    return this.#whole().blob();
  }

  formData() {
    return this.#whole().formData();
  }

  clone() {
    return this.#whole().clone();
  }

  get cache() { return 'default'; }
  get credentials() { return 'same-origin'; }
  get destination() { return ''; }
  get duplex() { return 'half'; }
  get integrity() { return ''; }
  get keepalive() { return false; }
  get mode() { return 'cors'; }
  get redirect() { return 'follow'; }
  get referrer() { return 'about:client'; }
  get referrerPolicy() { return ''; }

  /** Whether the body is here and nobody has looked at it. */
  #simple() {
    return this.#real === null && this.#call.input === null && !this.#used;
  }

  #take() {
    this.#used = this.#call.body.length !== 0;
    return this.#call.body;
  }

  /** The platform's own Request. */
  #whole() {
    if (this.#real !== null) return this.#real;
    const { input, body } = this.#call;
    const { method } = this;
    const bodyless = method === 'GET' || method === 'HEAD';
    const init = { method, headers: this.headers, signal: this.signal };
    if (!bodyless && input !== null) {
      init.body = ReadableStream.from(input);
      init.duplex = 'half';
    } else if (!bodyless && body.length !== 0) {
      init.body = body;
    }
    this.#real = new Request(this.url, init);
    // What was taken before must not be there again.
    if (this.#used) this.#real.text().catch(() => {});
    return this.#real;
  }

  /** What `new Request(request)` and `fetch(request)` look for: the platform's inner state. */
  static inner(request, key) {
    return request.#whole()[key];
  }
}

Object.setPrototypeOf(WebRequest.prototype, Request.prototype);
for (const key of Object.getOwnPropertySymbols(new Request('http://localhost/'))) {
  Object.defineProperty(WebRequest.prototype, key, {
    configurable: true,
    get() {
      return WebRequest.inner(this, key);
    },
  });
}

function fields(list) {
  const headers = new Headers();
  for (const [name, value] of list) {
    try {
      headers.append(name, byteText(value));
    } catch {
      // A name or value that is legal for HTTP/1 clients and not for the platform.
    }
  }
  return headers;
}

function address({ target, headers, remote }) {
  if (!target.startsWith('/')) return URL.canParse(target) ? target : 'http://localhost/';
  let host = 'localhost';
  for (const [name, value] of headers) {
    if (name.length === 4 && name.toLowerCase() === 'host') host = value;
  }
  return (remote?.scheme ?? 'http') + '://' + host + target;
}

module.exports = { WebRequest };
