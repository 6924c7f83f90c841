// SPDX-License-Identifier: Apache-2.0
'use strict';

// With the flag `u` a pair of surrogates is one character, so this finds the lone ones only.
const LONE = /\p{Surrogate}/u;

/** Whether UTF-8 can carry the text: no lone surrogate. Node 18, Debian 12's own, has no `isWellFormed`. */
const isWellFormed =
  typeof String.prototype.isWellFormed === 'function'
    ? (text) => text.isWellFormed()
    : (text) => !LONE.test(text);

module.exports = { isWellFormed, LONE };
