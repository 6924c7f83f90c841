// SPDX-License-Identifier: Apache-2.0
'use strict';

// A Response that becomes the platform's own at first need. `new Response('text')` of the platform
// makes a stream that is then read back piece by piece; it is the dearest part of a small answer.
// `serve` puts this one in the place of the global, so that handlers need not know.

const Platform = globalThis.Response;
const FORBIDDEN = new Set([101, 204, 205, 304]);

class WebResponse {
  #body;
  #init;
  #real = null;

  constructor(body, init) {
    // What is neither simple nor cheap is the platform's business, its errors too.
    const simple = (body === undefined || body === null || typeof body === 'string' ||
      body instanceof Uint8Array || body instanceof ArrayBuffer) && plain(body, init);
    this.#body = simple ? body : undefined;
    this.#init = init;
    if (!simple) this.#real = new Platform(body, init);
  }

  /** The simple answer, if nobody has asked for more: `{ status, headers, body }`. */
  static simple(response) {
    if (typeof response !== 'object' || response === null || !(#real in response)) return null;
    if (response.#real !== null) return null;
    const init = response.#init;
    return { status: init?.status ?? 200, headers: init?.headers, body: response.#body ?? null };
  }

  static json(data, init) {
    const text = JSON.stringify(data);
    if (text === undefined) return Platform.json(data, init); // It knows the right error.
    const headers = new Headers(init?.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new WebResponse(text, { ...init, headers });
  }

  static redirect(url, status) {
    return Platform.redirect(url, status);
  }

  static error() {
    return Platform.error();
  }

  static [Symbol.hasInstance](value) {
    return Function.prototype[Symbol.hasInstance].call(Platform, value);
  }

  get status() {
    return this.#real === null ? this.#init?.status ?? 200 : this.#real.status;
  }

  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  #whole() {
    return (this.#real ??= new Platform(this.#body, this.#init));
  }

  static inner(response) {
    return response.#whole();
  }
}

/** Whether the platform would take it without a complaint. */
function plain(body, init) {
  if (init === undefined || init === null) return init === undefined;
  const { status = 200, statusText } = init;
  if (statusText !== undefined) return false;
  if (!Number.isInteger(status) || status < 200 || status > 599) return false;
  return body === undefined || body === null || !FORBIDDEN.has(status);
}

Object.setPrototypeOf(WebResponse.prototype, Platform.prototype);
const own = new Set(Reflect.ownKeys(WebResponse.prototype));
for (const name of Reflect.ownKeys(Platform.prototype)) {
  if (own.has(name) || typeof name === 'symbol') continue;
  const { get, value } = Object.getOwnPropertyDescriptor(Platform.prototype, name);
  Object.defineProperty(WebResponse.prototype, name, get === undefined ? {
    configurable: true,
    writable: true,
    value(...args) {
      return value.apply(WebResponse.inner(this), args);
    },
  } : {
    configurable: true,
    get() {
      return get.call(WebResponse.inner(this));
    },
  });
}

for (const key of Object.getOwnPropertySymbols(new Platform())) {
  Object.defineProperty(WebResponse.prototype, key, {
    configurable: true,
    get() {
      return WebResponse.inner(this)[key];
    },
  });
}

Object.defineProperty(WebResponse, 'name', { value: 'Response' });

/** Puts it in the place of the global. */
function install() {
  if (globalThis.Response === Platform) {
    Object.defineProperty(globalThis, 'Response', {
      value: WebResponse, writable: true, configurable: true, enumerable: false,
    });
  }
}

module.exports = { WebResponse, Platform, install };
