// SPDX-License-Identifier: Apache-2.0
'use strict';

// Serves the default export of a module: `node …/@bulkhead/guest/lib/run.js app.mjs`.

const path = require('node:path');
const { pathToFileURL } = require('node:url');

const file = process.argv[2];
if (file === undefined) {
  console.error('name the module to serve: node run.js app.mjs');
  process.exit(64);
}

import(pathToFileURL(path.resolve(file)).href).then((module) => {
  const app = module.default ?? module;
  const guest = require('./index.js');
  if (typeof app?.fetch === 'function') guest.serve(app);
  else guest.serveHttp(app);
}).catch((error) => {
  console.error(error);
  process.exit(1);
});
