// SPDX-License-Identifier: Apache-2.0
'use strict';

// The small host calls.

const { connection } = require('./connection.js');

function write(level, message, fields) {
  const params = { level, message: String(message) };
  if (fields !== undefined) params.fields = fields;
  return connection().request('log.write', params).then(() => undefined);
}

/** Lines for the app's log that carry a level and fields. What is printed goes there too. */
const log = {
  write,
  debug: (message, fields) => write('debug', message, fields),
  info: (message, fields) => write('info', message, fields),
  warning: (message, fields) => write('warning', message, fields),
  error: (message, fields) => write('error', message, fields),
};

/** The app's configuration, as the operator set it. */
const config = {
  get: async () => (await connection().request('config.get')).result.config,
};

/** What the app used so far, by meter, and what this month's use costs so far. */
const usage = {
  get: async () => (await connection().request('usage.get')).result,
  cost: async () => (await connection().request('usage.cost')).result,
};

module.exports = { log, config, usage };
