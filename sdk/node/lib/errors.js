// SPDX-License-Identifier: Apache-2.0
'use strict';

// docs/PROTOCOL.md, "Errors": area of the code to its JSON-RPC number.
const NUMBERS = new Map([
  ['parse', -32700],
  ['request', -32600],
  ['method', -32601],
  ['params', -32602],
  ['internal', -32603],
  ['permission', -32001],
  ['not_found', -32002],
  ['conflict', -32003],
  ['quota', -32004],
  ['overloaded', -32005],
  ['deadline', -32006],
  ['upstream', -32007],
  ['unsupported', -32008],
  ['sql', -32010],
  ['cancelled', -32800],
]);

/** A request to the host failed. */
class HostError extends Error {
  constructor(code, message, { retryable = false, number, data = {} } = {}) {
    super(message);
    this.name = 'HostError';
    this.code = code;
    this.retryable = retryable;
    this.number = number ?? NUMBERS.get(code.split('.')[0]) ?? -32603;
    this.data = data;
  }

  /** The error of a response, as an exception. */
  static of(error) {
    const data = error.data ?? {};
    return new HostError(data.code ?? area(error.code), error.message ?? '', {
      retryable: data.retryable === true,
      number: error.code,
      data,
    });
  }

  /** The error as a response carries it. */
  wire() {
    return {
      code: this.number,
      message: this.message,
      data: { ...this.data, code: this.code, retryable: this.retryable },
    };
  }
}

function area(number) {
  for (const [name, known] of NUMBERS) if (known === number) return name;
  return 'internal';
}

module.exports = { HostError };
