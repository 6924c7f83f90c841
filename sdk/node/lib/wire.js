// SPDX-License-Identifier: Apache-2.0
'use strict';

// Frames on a socket: u32be total · u32be jsonLength · JSON · body.
//
// Reading: the kernel writes into one buffer of ours; frames are parsed where they lie, and only
// bodies are copied out. A frame longer than the buffer gets a buffer of its own, whose body is
// then handed on without a copy.
//
// Writing: what is sent within one turn of the event loop leaves in one write.

const net = require('node:net');
const { HostError } = require('./errors.js');

const FRAME_MAX = 1_048_576;
const JSON_MAX = 262_144;
const PIECE = 65_536;
const READ = 131_072;
const OUT = 65_536;
const EMPTY = Buffer.alloc(0);

class Wire {
  /**
   * `onFrame(message, body, text)` gets each frame, `onBatch()` runs once after all frames of a
   * read, `onEnd(error)` once at the end.
   */
  constructor(fd, onFrame, onBatch, onEnd) {
    this.onFrame = onFrame;
    this.onBatch = onBatch;
    this.onEnd = onEnd;
    this.closed = false;
    this.frameMax = FRAME_MAX; // Until the host says otherwise in `initialize`.
    this.jsonMax = JSON_MAX;
    this._main = Buffer.allocUnsafeSlow(READ);
    this._buffer = this._main; // Where the kernel writes.
    this._have = 0; // Bytes at its start that are read and not yet a whole frame.
    this._next = undefined; // What the socket shall read into, if that changes.
    this._out = Buffer.allocUnsafeSlow(OUT);
    this._spare = [];
    this._at = 0;
    this._scheduled = false;
    this._reading = false;
    this._flush = () => this.flush();
    this.socket = new net.Socket({
      fd,
      readable: true,
      writable: true,
      allowHalfOpen: true,
      onread: {
        buffer: () => this._nextBuffer(),
        callback: (count) => this._took(count),
      },
    });
    this.socket.on('end', () => this._end(null));
    this.socket.on('error', (error) => this._end(error));
    this.socket.on('close', () => this._end(null));
  }

  _nextBuffer() {
    return this._have === 0 ? this._buffer : this._buffer.subarray(this._have);
  }

  _took(count) {
    const have = this._have + count;
    this._reading = true;
    try {
      this._parse(have);
    } catch (error) {
      this._reading = false;
      this._end(error);
      this.socket.destroy();
      return false;
    }
    this._reading = false;
    if (this._at !== 0) this._write();
    if (this.onBatch !== null) this.onBatch();
    return true;
  }

  _parse(have) {
    const buffer = this._buffer;
    let at = 0;
    while (have - at >= 8) {
      const total = buffer.readUInt32BE(at);
      const size = buffer.readUInt32BE(at + 4);
      if (total > this.frameMax || size < 2 || size > total - 4 || size > this.jsonMax) {
        throw new Error(`a frame of ${total} bytes with ${size} bytes of JSON`);
      }
      const end = at + 4 + total;
      if (end > have) {
        if (4 + total > buffer.length) return this._grow(at, have, 4 + total);
        break;
      }
      const middle = at + 8 + size;
      const text = buffer.utf8Slice(at + 8, middle);
      let body = EMPTY;
      if (middle !== end) {
        // A buffer made for one frame is not written again: its body needs no copy.
        body = buffer === this._main ? Buffer.from(buffer.subarray(middle, end))
          : buffer.subarray(middle, end);
      }
      at = end;
      this.onFrame(JSON.parse(text), body, text);
      if (this.closed) return;
    }
    if (buffer !== this._main && at > 0) {
      this._buffer = this._main;
      buffer.copy(this._main, 0, at, have);
    } else if (at > 0 && at < have) {
      buffer.copyWithin(0, at, have);
    }
    this._have = have - at;
  }

  _grow(at, have, length) {
    const own = Buffer.allocUnsafeSlow(length);
    this._buffer.copy(own, 0, at, have);
    this._buffer = own;
    this._have = have - at;
  }

  _end(error) {
    if (this.closed) return;
    this.closed = true;
    this.onEnd(error);
  }

  /** Sends a frame. `text` is JSON, `ascii` promises that it holds nothing else. */
  send(text, body = EMPTY, ascii = false) {
    if (this.closed) return;
    const length = ascii ? text.length : Buffer.byteLength(text);
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    if (length > this.jsonMax || 4 + length + bytes > this.frameMax) {
      throw new HostError(
        'params.size',
        `a message of ${length} bytes of JSON and ${bytes} of body; ` +
          `${this.jsonMax} are allowed, and ${this.frameMax} together`,
      );
    }
    const whole = 8 + length + bytes;
    if (whole > OUT) {
      this._sendLarge(text, length, body, bytes);
      return;
    }
    if (this._at + whole > OUT) this._write();
    const out = this._out;
    let at = this._at;
    putLengths(out, at, 4 + length + bytes, length);
    at += 8;
    if (ascii) out.latin1Write(text, at, length);
    else out.utf8Write(text, at, length);
    at += length;
    if (bytes !== 0) {
      if (typeof body === 'string') out.utf8Write(body, at, bytes);
      else out.set(body, at);
    }
    this._at = at + bytes;
    // While frames of a read are handled, its end is the time to write.
    if (!this._scheduled && !this._reading) this._schedule();
  }

  _sendLarge(text, length, body, bytes) {
    this._write();
    const start = Buffer.allocUnsafe(8 + length);
    putLengths(start, 0, 4 + length + bytes, length);
    start.utf8Write(text, 8, length);
    this.socket.cork();
    this.socket.write(start);
    if (bytes !== 0) this.socket.write(body);
    this.socket.uncork();
  }

  _schedule() {
    this._scheduled = true;
    setImmediate(this._flush);
  }

  /** Lets what was sent so far leave. */
  flush() {
    this._scheduled = false;
    this._write();
  }

  _write() {
    const length = this._at;
    if (length === 0 || this.closed) return;
    const out = this._out;
    this._at = 0;
    this._out = this._spare.pop() ?? Buffer.allocUnsafeSlow(OUT);
    this.socket.write(length === OUT ? out : out.subarray(0, length), () => {
      if (this._spare.length < 4) this._spare.push(out);
    });
  }

  /** Lets everything leave, then calls back. */
  finish(callback) {
    this.flush();
    this.socket.end(callback);
  }
}

function putLengths(out, at, total, length) {
  out[at] = total >>> 24;
  out[at + 1] = total >>> 16;
  out[at + 2] = total >>> 8;
  out[at + 3] = total;
  out[at + 4] = length >>> 24;
  out[at + 5] = length >>> 16;
  out[at + 6] = length >>> 8;
  out[at + 7] = length;
}

module.exports = { Wire, PIECE, EMPTY };
