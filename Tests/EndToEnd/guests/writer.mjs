// SPDX-License-Identifier: Apache-2.0
// As writer.py, in Node: /single and /batch.

import { serveHttp, sql } from '@bulkhead/guest';

const ways = {
  single: (db, writer, n) => db.execute('INSERT INTO single VALUES (?, ?)', [writer, n]),
  batch: (db, writer, n) => db.batch(
    [0, 1, 2].map((part) => ['INSERT INTO three VALUES (?, ?, ?)', [writer, n, part]])),
};

serveHttp(async (request, response) => {
  const [, way, name, writer] = request.url.split('/');
  const db = sql.open(name);
  response.writeHead(200, { 'content-type': 'text/plain' });
  try {
    for (let n = 0; !response.destroyed; n++) {
      await ways[way](db, Number(writer), n);
      response.write(`${n}\n`);
    }
  } catch (error) {
    response.end(`error ${error.code}\n`);
  }
});
