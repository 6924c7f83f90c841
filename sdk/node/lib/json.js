// SPDX-License-Identifier: Apache-2.0
'use strict';

// JSON as the host's parser takes it. It ends a guest that breaks its rules, so what an app passes
// through is looked at here first.

const { HostError } = require('./errors.js');
const { isWellFormed } = require('./text.js');

const DEPTH_MAX = 29;
const VALUES_MAX = 60_000; // The host's parser takes 65,536.

/** `value` as JSON. Throws HostError `params.value` or `params.text` for what cannot be sent. */
function encode(value) {
  const text = JSON.stringify(value);
  if (text === undefined) throw new HostError('params.value', 'there is nothing to send');
  measure(text);
  // Written so only for a lone surrogate, or for text that holds a backslash before it.
  if (/\\ud[89a-f]/i.test(text) && lone(JSON.parse(text))) {
    throw new HostError('params.text', 'text with a lone surrogate');
  }
  if (/\d{16}/.test(text)) checkIntegers(value);
  return text;
}

/** Depth and values, counted on the text: a comma or a bracket is at most one more value. */
function measure(text) {
  let depth = 0;
  let values = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inText) {
      if (code === 92) at++;
      else if (code === 34) inText = false;
    } else if (code === 34) {
      inText = true;
    } else if (code === 44) {
      values++;
    } else if (code === 123 || code === 91) {
      values++;
      if (++depth > DEPTH_MAX) {
        throw new HostError('params.value', `nested more than ${DEPTH_MAX} deep`);
      }
    } else if (code === 125 || code === 93) {
      depth--;
    }
  }
  if (values > VALUES_MAX) {
    throw new HostError('params.size', `more than ${VALUES_MAX} values in one message`);
  }
}

function lone(value) {
  if (typeof value === 'string') return !isWellFormed(value);
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([key, item]) => !isWellFormed(key) || lone(item));
}

/** JSON.stringify writes whole doubles up to 1e21 as integers; the host takes 64 bits. */
function checkIntegers(value) {
  if (typeof value === 'number') {
    if (Number.isInteger(value) && Math.abs(value) >= 2 ** 63 && Math.abs(value) < 1e21) {
      throw new HostError('params.value', `${value} does not fit 64 bits`);
    }
  } else if (value !== null && typeof value === 'object') {
    for (const item of Object.values(value)) checkIntegers(item);
  }
}

/** `text` as a JSON string that is ASCII only. */
function quoteAscii(text) {
  const quoted = JSON.stringify(text);
  return /[^\x00-\x7f]/.test(quoted)
    ? quoted.replace(/[^\x00-\x7f]/g, escaped)
    : quoted;
}

function escaped(one) {
  return '\\u' + one.charCodeAt(0).toString(16).padStart(4, '0');
}

module.exports = { encode, quoteAscii, VALUES_MAX };
