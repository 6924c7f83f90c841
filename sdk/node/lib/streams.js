// SPDX-License-Identifier: Apache-2.0
'use strict';

// Bodies longer than a frame: pieces on one side, credit on the other.

const { PIECE, EMPTY } = require('./wire.js');

const DATA = '{"jsonrpc":"2.0","method":"$/data","params":{"stream":';

/** A body that arrives in pieces. Holds at most the credit it gave. */
class InputStream {
  constructor(connection, number, first) {
    this.connection = connection;
    this.number = number;
    this.pieces = first.length === 0 ? [] : [first];
    this.ended = false;
    this.error = null;
    this.stopped = false;
    /** Called whenever there is something new; set by whoever reads. */
    this.onReadable = null;
    this._taken = 0;
  }

  feed(piece, end, error) {
    if (piece.length !== 0 && !this.stopped) this.pieces.push(piece);
    if (end) {
      this.ended = true;
      this.error = error;
    }
    if (this.onReadable !== null) this.onReadable();
  }

  /** The next piece, or null if there is none now. Taking it grants the sender as much again. */
  take() {
    const piece = this.pieces.shift();
    if (piece === undefined) return null;
    this._taken += piece.length;
    if (this._taken >= this.connection.credit >> 1 && !this.ended) {
      const count = this._taken;
      this._taken = 0;
      this.connection.sendText(
        '{"jsonrpc":"2.0","method":"$/credit","params":{"stream":' +
          this.number + ',"bytes":' + count + '}}',
      );
    }
    return piece;
  }

  /** Nothing more is wanted. */
  stop() {
    if (this.stopped) return;
    this.stopped = true;
    this.pieces.length = 0;
    if (!this.ended) {
      this.connection.sendText(
        '{"jsonrpc":"2.0","method":"$/stop","params":{"stream":' + this.number + '}}',
      );
    }
  }

  /** Pieces as an async iterator; leaving the loop stops the sender. */
  async *[Symbol.asyncIterator]() {
    try {
      while (true) {
        const piece = this.take();
        if (piece !== null) {
          yield piece;
        } else if (this.ended) {
          if (this.error !== null) throw this.error;
          return;
        } else {
          await new Promise((resolve) => (this.onReadable = resolve));
        }
      }
    } finally {
      this.onReadable = null;
      this.stop();
    }
  }
}

/** A body sent in pieces, no further than the receiver's credit. */
class OutputStream {
  /** `input`: a body that is of no use once this one has ended, such as the request's. */
  constructor(connection, number, sent, input = null) {
    this.connection = connection;
    this.number = number;
    this.input = input;
    this.credit = connection.credit - sent;
    /** Bytes that wait for credit. */
    this.waiting = 0;
    this.closed = false;
    /** The receiver wants no more. */
    this.stopped = false;
    /** Called when nothing waits any more, and when the stream is stopped. */
    this.onDrain = null;
    this._queue = [];
    this._ending = false;
    this._error = null;
  }

  /** Whether the bytes could leave at once. */
  write(data) {
    if (this.closed || this._ending || data.length === 0) return this.waiting === 0;
    this._queue.push(data);
    this.waiting += data.length;
    this._pump();
    return this.waiting === 0;
  }

  end(error = null) {
    if (this.closed || this._ending) return;
    this._ending = true;
    this._error = error;
    this._pump();
  }

  grant(count) {
    this.credit += count;
    const had = this.waiting !== 0;
    this._pump();
    if (had && this.waiting === 0 && this.onDrain !== null) this.onDrain();
  }

  /** From the receiver. */
  stop() {
    if (this.closed) return;
    this.stopped = true;
    this._queue.length = 0;
    this.waiting = 0;
    this._close(EMPTY, null);
    if (this.onDrain !== null) this.onDrain();
  }

  _pump() {
    while (this._queue.length !== 0 && this.credit > 0) {
      const data = this._queue[0];
      const count = Math.min(data.length, this.credit, PIECE);
      if (count === data.length) this._queue.shift();
      else this._queue[0] = data.subarray(count);
      this.credit -= count;
      this.waiting -= count;
      const piece = count === data.length ? data : data.subarray(0, count);
      if (this._ending && this._queue.length === 0 && this._error === null) {
        this._close(piece, null);
        return;
      }
      this.connection.sendText(DATA + this.number + ',"end":false}}', piece);
    }
    if (this._ending && this._queue.length === 0) this._close(EMPTY, this._error);
  }

  _close(piece, error) {
    if (this.closed) return;
    this.closed = true;
    const tail = error === null ? '' : ',"error":' + JSON.stringify(String(error));
    this.connection.sendText(DATA + this.number + ',"end":true' + tail + '}}', piece);
    if (this.input !== null && !this.input.ended) this.input.stop();
    this.connection.forgetOutput(this.number);
  }
}

module.exports = { InputStream, OutputStream };
