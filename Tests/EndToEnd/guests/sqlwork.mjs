// SPDX-License-Identifier: Apache-2.0
// As sqlwork.py, in Node: /values, /many, /stream.

import { serveHttp, sql } from '@bulkhead/guest';

const VALUES = [
  null, 2n ** 63n - 1n, -(2n ** 63n), 0.1, Infinity, -Infinity, 5e-324, '', 'a\0b € \u{1F6A2}', 'é'.repeat(20_000),
  Buffer.alloc(0), Buffer.from([0, 255, 0]), Buffer.alloc(300_000, 7),
];
const db = sql.open('main');

function same(rows) {
  return rows.length === VALUES.length && rows.every((row, at) => (Buffer.isBuffer(VALUES[at])
    ? row.x instanceof Uint8Array && Buffer.compare(row.x, VALUES[at]) === 0
    : Object.is(row.x, VALUES[at])));
}

async function gather(statement) {
  const rows = [];
  for await (const row of db.stream(statement)) rows.push(row);
  return rows;
}

const routes = {
  async values() {
    await db.execute('CREATE TABLE IF NOT EXISTS v (n INTEGER PRIMARY KEY, x)');
    await db.execute('DELETE FROM v');
    for (const [number, value] of VALUES.entries()) {
      await db.execute('INSERT INTO v VALUES (?, ?)', [number, value]);
    }
    if (!same(await db.query('SELECT x FROM v ORDER BY n'))) return 'query gave other values';
    await db.execute('DELETE FROM v');
    await db.executeMany('INSERT INTO v VALUES (?, ?)', [...VALUES.entries()]);
    return same(await gather('SELECT x FROM v ORDER BY n')) ? 'ok' : 'stream gave other values';
  },
  async many() {
    await db.execute('CREATE TABLE IF NOT EXISTS m (n INTEGER, text TEXT)');
    const rows = Array.from({ length: 100_000 }, (_, number) => [number, `row number ${number}`]);
    return String((await db.executeMany('INSERT INTO m VALUES (?, ?)', rows)).changes);
  },
  async stream() {
    const rows = await gather('SELECT n FROM m');
    return `${rows.length} ${rows.reduce((sum, row) => sum + row.n, 0)}`;
  },
};

serveHttp(async (request, response) => {
  try {
    response.end(await routes[request.url.slice(1)]());
  } catch (error) {
    response.end(String(error.code ?? error));
  }
});
