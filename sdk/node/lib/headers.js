// SPDX-License-Identifier: Apache-2.0
'use strict';

// Header fields of responses, kept as the JSON that will be sent. Most responses of an app repeat
// the fields of the one before, so each name remembers its last value and the JSON of both.

const http = require('node:http');
const { quoteAscii } = require('./json.js');

const NAMES_MAX = 1024;
const names = new Map();

class Name {
  constructor(name) {
    http.validateHeaderName(name);
    this.lower = name.toLowerCase();
    this.quoted = quoteAscii(name);
    this.value = undefined;
    this.json = '';
  }
}

function known(name) {
  let entry = names.get(name);
  if (entry === undefined) {
    entry = new Name(name);
    if (names.size >= NAMES_MAX) names.clear();
    names.set(name, entry);
  }
  return entry;
}

/** One or several `["name","value"]`, with commas between. Throws as node:http does. */
function fieldJSON(entry, name, value) {
  if (value === entry.value && value !== undefined) return entry.json;
  // Lists are seldom the same twice, and whoever has one may change it.
  if (Array.isArray(value)) return value.map((one) => lineJSON(entry, name, one)).join(',');
  entry.json = lineJSON(entry, name, value);
  entry.value = value;
  return entry.json;
}

function lineJSON(entry, name, value) {
  http.validateHeaderValue(name, value);
  return '[' + entry.quoted + ',' + quoteAscii(wireText(String(value))) + ']';
}

/** node:http has one character a byte; the wire has text. */
function wireText(value) {
  if (!/[\x80-\xff]/.test(value)) return value;
  const text = Buffer.from(value, 'latin1').toString('utf8');
  return text.includes('\ufffd') ? value : text;
}

/** The wire's text, one character a byte. */
function byteText(value) {
  return /[^\x00-\x7f]/.test(value) ? Buffer.from(value, 'utf8').latin1Slice() : value;
}

/** The fields of one response. */
class FieldList {
  constructor() {
    this.items = []; // lower, name, value, JSON; four entries a field
  }

  find(lower) {
    const { items } = this;
    for (let at = 0; at < items.length; at += 4) if (items[at] === lower) return at;
    return -1;
  }

  set(name, value) {
    const entry = known(name);
    const json = fieldJSON(entry, name, value);
    const at = this.find(entry.lower);
    if (at === -1) this.items.push(entry.lower, name, value, json);
    else this.items.splice(at, 4, entry.lower, name, value, json);
  }

  append(name, value) {
    const before = this.get(name);
    this.set(name, before === undefined ? value : [].concat(before, value));
  }

  get(name) {
    const at = this.find(known(String(name)).lower);
    return at === -1 ? undefined : this.items[at + 2];
  }

  delete(name) {
    const at = this.find(known(String(name)).lower);
    if (at !== -1) this.items.splice(at, 4);
  }

  /** `[…]` as the response carries it. */
  json() {
    const { items } = this;
    if (items.length === 0) return '[]';
    let out = '[' + items[3];
    for (let at = 7; at < items.length; at += 4) if (items[at] !== '') out += ',' + items[at];
    return out + ']';
  }
}

/** The JSON of one field, for who has no list. */
function field(name, value) {
  return fieldJSON(known(name), name, value);
}

module.exports = { FieldList, field, byteText };
