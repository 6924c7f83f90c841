// SPDX-License-Identifier: Apache-2.0
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { isWellFormed, LONE } = require('../lib/text.js');

test('a lone surrogate is found, a pair is not, with and without the built-in', () => {
  for (const text of ['', 'plain', '€', '😀', 'a😀b']) {
    assert.equal(isWellFormed(text), true);
    assert.equal(LONE.test(text), false);
  }
  for (const text of ['\ud83d', '\ude00', 'a\ud83db', '\ude00\ud83d']) {
    assert.equal(isWellFormed(text), false);
    assert.equal(LONE.test(text), true);
  }
});
