// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a Node guest of Bulkhead uses. Parts are loaded when first used: a guest's first byte waits
// for every file.

const parts = {
  serve: () => require('./fetch.js').serve,
  serveHttp: () => require('./http.js').serveHttp,
  sql: () => require('./sql.js'),
  secrets: () => require('./secrets.js').secrets,
  keys: () => require('./keys.js').keys,
  log: () => require('./host.js').log,
  config: () => require('./host.js').config,
  usage: () => require('./host.js').usage,
  Connection: () => require('./connection.js').Connection,
  connection: () => require('./connection.js').connection,
  HostError: () => require('./errors.js').HostError,
};

for (const [name, load] of Object.entries(parts)) {
  Object.defineProperty(exports, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = load();
      Object.defineProperty(exports, name, { value, enumerable: true });
      return value;
    },
  });
}
