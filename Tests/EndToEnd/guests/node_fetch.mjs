// SPDX-License-Identifier: Apache-2.0
import { serve, sql } from '@bulkhead/guest';

const db = sql.open('main');
const ready = db.execute('CREATE TABLE IF NOT EXISTS page (path TEXT PRIMARY KEY, text TEXT)');

serve({
  async fetch(request) {
    await ready;
    const { pathname } = new URL(request.url);
    if (request.method === 'PUT') {
      const done = await db.execute('INSERT INTO page VALUES (?, ?)', [pathname, await request.text()]);
      return Response.json({ changes: done.changes });
    }
    const row = await db.get('SELECT text FROM page WHERE path = ?', [pathname]);
    return row ? new Response(row.text) : new Response('', { status: 404 });
  },
});
