// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a guest asks of the host: SQL and the small calls.

const test = require('node:test');
const assert = require('node:assert/strict');
const { guest } = require('../testing/fake-host.js');
const { encode, decode, Chunks } = require('../lib/columns.js');

/** A guest that runs `work(show)` at a request and answers with what was shown. */
const run = (work) => `
  const guest = require('@bulkhead/guest');
  const { sql, HostError } = guest;
  const db = sql.open('main');
  const plain = (_, value) => typeof value === 'bigint' ? value + 'n'
    : value instanceof Uint8Array ? 'bytes ' + [...value]
    : typeof value === 'number' && !isFinite(value) ? String(value) : value;
  guest.serveHttp(async (req, res) => {
    const shown = [];
    try { await (async (show) => { ${work} })((...values) => shown.push(...values)); }
    catch (error) { shown.push(error.stack); }
    res.end(JSON.stringify(shown, plain));
  });`;

const shown = async (t, work, options) => {
  const host = guest(t, run(work), options);
  return [JSON.parse(await host.http().text()), host];
};

/** Gives the params back as one row: what was sent, as the worker would send it. */
function echo(method, params, body) {
  const out = [];
  let length = 0;
  const row = params.params.map((value) => {
    const tag = value !== null && typeof value === 'object' ? Object.keys(value)[0] : null;
    if (tag !== 'blob' && tag !== 'text') return value;
    const [at, size] = value[tag];
    out.push(body.subarray(at, at + size));
    length += size;
    return { [tag]: [length - size, size] };
  });
  return [{ columns: row.map((_, at) => 'c' + at), rows: [row] }, Buffer.concat(out)];
}

test('SQL values go as the wire has them and come back as they went', async (t) => {
  const [seen, host] = await shown(t, `
    const values = [null, 1, -5, 2 ** 53 - 1, 2n ** 63n - 1n, 1.5, 1e300, 2 ** 60, -0, NaN,
      Infinity, -Infinity, 'a\\0"\\u2028😀', 'x'.repeat(20000), new Uint8Array([0, 255]),
      new Uint8Array(0), Buffer.from('ab'), new Uint16Array([1]).buffer, true, false];
    const [row] = await db.query('SELECT ?', values, { rows: 'array' });
    show(...row.map((value) => typeof value === 'string' && value.length > 99 ? value.length : value));`,
  { sql: echo });
  assert.deepEqual(seen, [null, 1, -5, 2 ** 53 - 1, 9223372036854775807, 1.5, 1e300, 2 ** 60, 0,
    null, 'Infinity', '-Infinity', 'a\0"\u2028😀', 20000, 'bytes 0,255', 'bytes ', 'bytes 97,98',
    'bytes 1,0', 1, 0]);
  assert.equal(host.calls[0].params.safeIntegers, true);
  assert.equal(host.calls[0].short, true);
});

test('the JSON of parameters keeps integers and doubles apart', () => {
  const { encodeParams, Blobs } = require('../lib/sqlvalues.js');
  const text = (...values) => encodeParams(values, new Blobs());
  assert.equal(text(1, 2n ** 63n - 1n, -(2n ** 63n)), '[1,9223372036854775807,-9223372036854775808]');
  assert.equal(text(2 ** 60, 1e21, -0, 1.5), '[1.152921504606847e+18,1e+21,-0.0,1.5]');
  assert.equal(text(Infinity, NaN), '[{"real":"inf"},null]');
  for (const bad of [2n ** 63n, {}, undefined, () => {}, Symbol('a'), new Date()]) {
    assert.throws(() => text(bad), { code: 'params.value' });
  }
  assert.throws(() => text('\ud800'), { code: 'params.text' });
  assert.throws(() => encodeParams('text', new Blobs()), { code: 'params.value' });
});

test('integers beyond a number are BigInt', async (t) => {
  const [seen] = await shown(t, `
    const rows = await db.query('…');
    show(rows, rows.columns, await db.get('…'), (await db.execute('…')).lastInsertRowId);`, {
    sql: (method) => [method === 'sql.execute' ? { changes: 1, lastInsertRowId: { int: '9007199254740993' } }
      : { columns: ['a', 'b', 'a'], rows: [[1, { int: '-9007199254740993' }, 3]] }],
  });
  assert.deepEqual(seen, [[{ a: 1, b: '-9007199254740993n' }], ['a', 'b', 'a'],
    { a: 1, b: '-9007199254740993n' }, '9007199254740993n']);
});

test('batches, transactions and their requests', async (t) => {
  const [seen, host] = await shown(t, `
    show(await db.batch(['A', ['B', [1]], { sql: 'C', params: { x: new Uint8Array([7]) } }]));
    show(await db.transaction(async (tx) => { await tx.execute('D'); return 'given'; }, { mode: 'read', timeout: 9 }));
    await db.transaction(() => { throw new Error('no'); }).catch((error) => show(error.message));
    const tx = await db.begin();
    await tx.rollback(); await tx.rollback(); await tx.commit();
    await db.query('E', [], { timeout: 250 });`, {
    sql: (method, { statements }) => [method === 'sql.begin' ? { transaction: 7 }
      : method === 'sql.query' ? { columns: [], rows: [] }
      : statements === undefined ? { changes: 0, lastInsertRowId: 0 }
      : { results: [{ changes: 1, lastInsertRowId: 2 }, { columns: ['z'], rows: [[{ blob: [0, 1] }]] },
        { changes: 0, lastInsertRowId: 2 }] }, Buffer.from([9])],
  });
  assert.deepEqual(seen, [[{ changes: 1, lastInsertRowId: 2 }, [{ z: 'bytes 9' }],
    { changes: 0, lastInsertRowId: 2 }], 'given', 'no']);
  assert.deepEqual(host.calls.map(({ method }) => method), ['sql.batch', 'sql.begin', 'sql.execute',
    'sql.commit', 'sql.begin', 'sql.rollback', 'sql.begin', 'sql.rollback', 'sql.query']);
  assert.deepEqual(host.calls[0].params.statements[2], { sql: 'C', params: { x: { blob: [0, 1] } } });
  assert.deepEqual(host.calls[1].params, { database: 'main', mode: 'read', deadlineMs: 9 });
  assert.equal(host.calls[2].params.transaction, 7);
  assert.deepEqual(host.calls[8].meta, { deadlineMs: 250 });
});

// The same bytes are in the Python SDK's tests.
const GOLDEN =
  '520000000200000006000000010100000000000000feffffffffffffff02000000000000f83f0000' +
  '00000000d0bf03010000000200000061c3a904010000000100000000ff0005010307000000000000' +
  '000100000078';

test('columns/1 is as the worker has it', () => {
  const rows = [
    [1, 1.5, 'a', new Uint8Array([0]), null, 7],
    [-2, -0.25, 'é', new Uint8Array([255]), null, 'x'],
  ];
  assert.equal(encode(rows).toString('hex'), GOLDEN);
  assert.deepEqual(decode(Buffer.from(GOLDEN, 'hex')), rows);
  const mixed = [[2n ** 62n, -0], [null, NaN], [Infinity, 'x'.repeat(70_000)], [true, 9.5], ['', 2 ** 60]];
  assert.deepEqual(decode(encode(mixed)), [[2n ** 62n, -0], [null, null],
    [Infinity, 'x'.repeat(70_000)], [1, 9.5], ['', 2 ** 60]]);
  assert.throws(() => encode([[1], [1, 2]]), { code: 'params.value' });
  assert.throws(() => encode([[{}]]), { code: 'params.value' });
  const two = Buffer.concat([encode(rows), encode(rows)]);
  const chunks = new Chunks();
  const found = [];
  for (const byte of two) found.push(...chunks.feed(Buffer.from([byte])).map(decode));
  assert.deepEqual(found, [rows, rows]);
});

test('many rows go as chunks, beyond one frame in a transaction', async (t) => {
  const rows = [];
  const [seen, host] = await shown(t, `
    show(await db.executeMany('I', [[1, 'a'], [2, null]]), await db.executeMany('I', []));
    show(await db.executeMany('I', Array.from({ length: 3000 }, (_, n) => [n, 'x'.repeat(1000)])));`, {
    sql: (method, params, body) => {
      if (method === 'sql.begin') return [{ transaction: 3 }];
      if (method !== 'sql.batch') return [{}];
      const [at, size] = params.statements[0].rows.body;
      const chunk = decode(body.subarray(at, at + size));
      rows.push(...chunk);
      return [{ results: [{ changes: chunk.length, lastInsertRowId: rows.length }] }];
    },
  });
  assert.deepEqual(seen, [{ changes: 2, lastInsertRowId: 2 }, { changes: 0, lastInsertRowId: 0 },
    { changes: 3000, lastInsertRowId: 3002 }]);
  assert.deepEqual(rows.slice(0, 3), [[1, 'a'], [2, null], [0, 'x'.repeat(1000)]]);
  const methods = host.calls.map(({ method }) => method);
  assert.deepEqual([methods[1], methods.at(-1)], ['sql.begin', 'sql.commit']);
  assert.ok(methods.filter((one) => one === 'sql.batch').length > 4);
});

/** A host whose every query is a stream of `count` rows. */
const streaming = (count, error) => ({
  sql(method, { stream }) {
    if (!stream) throw { code: -32010, message: 'long', data: { code: 'sql.too_large' } };
    const body = Buffer.concat(Array.from({ length: count / 1000 }, (_, page) =>
      encode(Array.from({ length: 1000 }, (_, n) => [page * 1000 + n, 'row']))));
    setImmediate(() => this.send(body, error));
    return [null];
  },
  host: {},
});

test('a long result comes whole, or row by row, and can be left', async (t) => {
  const options = streaming(60_000);
  const { pack } = require('../testing/fake-host.js');
  let host;
  let name = 500;
  options.send = (body) => {
    const id = host.calls.filter(({ short }) => short).length - 1;
    name += 1;
    host.uploads.set(name, 0);
    host.sqlSocket.write(pack({ jsonrpc: '2.0', id, result: { columns: ['n', 't'], encoding: 'columns/1' },
      stream: name }, body.subarray(0, 262_144)));
    const rest = [];
    for (let at = 262_144; at < body.length; at += 65_536) rest.push(body.subarray(at, at + 65_536));
    for (const piece of rest) {
      host.sqlSocket.write(pack({ jsonrpc: '2.0', method: '$/data', params: { stream: name, end: false } }, piece));
    }
    host.sqlSocket.write(pack({ jsonrpc: '2.0', method: '$/data', params: { stream: name, end: true } }));
  };
  options.sql = options.sql.bind(options);
  host = guest(t, run(`
    const rows = await db.query('Q');
    show(rows.length, rows[59_999], rows.columns);
    let sum = 0;
    for await (const row of db.stream('Q')) sum += row.n;
    show(sum);
    for await (const row of db.stream('Q', [], { rows: 'array' })) { show(row); break; }`), options);
  assert.deepEqual(JSON.parse(await host.http().text()),
    [60_000, { n: 59_999, t: 'row' }, ['n', 't'], 1_799_970_000, [0, 'row']]);
});

test('errors of the host are HostErrors', async (t) => {
  const [seen] = await shown(t, `
    await db.query('selec').catch((e) => show(e instanceof HostError, e.code, e.number, e.retryable, e.data.extended, e.message));
    await guest.connection().request('no.such').catch((e) => show(e.code));`, {
    sql: () => { throw { code: -32010, message: 'near', data: { code: 'sql.error', retryable: false, extended: 1 } }; },
  });
  assert.deepEqual(seen, [true, 'sql.error', -32010, false, 1, 'near', 'method.unknown']);
});

test('the first socket does where the second is absent or has ended', async (t) => {
  const [seen, host] = await shown(t, `show(await db.query('Q', [1], { rows: 'array' }));`,
    { sql: echo, sqlSocket: false });
  assert.deepEqual(seen, [[[1]]]);
  assert.equal(host.calls[0].short, false);
  const other = guest(t, run(`show(await db.query('Q', [1], { rows: 'array' }).catch((e) => e.code));`),
    { sql: echo });
  await other.http().text();
  other.sqlSocket.destroy();
  let text;
  do text = await other.http().text(); while (text === '["upstream.sql"]');
  assert.equal(text, '[[[1]]]');
  assert.equal(other.calls.at(-1).short, false);
});

test('log, config and usage', async (t) => {
  const logs = [];
  const [seen] = await shown(t, `
    show(await guest.config.get(), await guest.usage.get(), await guest.usage.cost(),
      guest.connection().config);
    await guest.log.info('hello', { n: 1 });
    await guest.log.write('error', 'bad');
    await guest.log.info('x', { bad: '\\ud800' }).catch((e) => show(e.code));
    const deep = {}; let at = deep; for (let n = 0; n < 40; n++) at = at.a = {};
    await guest.log.info('x', deep).catch((e) => show(e.code));
    await guest.log.info('x', { n: 1e20 }).catch((e) => show(e.code));
    await guest.log.info('x'.repeat(300_000)).catch((e) => show(e.code));
    await guest.log.info('x', Array(70_000).fill(1)).catch((e) => show(e.code));
    await db.query('Q', Array(70_000).fill(1)).catch((e) => show(e.code));
    await db.batch(Array(3).fill(['Q', Array(30_000).fill(1)])).catch((e) => show(e.code));`, {
    host: { 'config.get': () => ({ config: { a: 1 } }), 'usage.get': () => ({ cpu: 2 }),
      'usage.cost': () => ({ totals: [] }),
      'log.write': (params) => { logs.push(params); return {}; } },
  });
  assert.deepEqual(seen, [{ a: 1 }, { cpu: 2 }, { totals: [] }, { colour: 'blue' }, 'params.text', 'params.value',
    'params.value', 'params.size', 'params.size', 'params.size', 'params.size']);
  assert.deepEqual(logs, [{ level: 'info', message: 'hello', fields: { n: 1 } },
    { level: 'error', message: 'bad' }]);
});

test('a signal cancels a request', async (t) => {
  const [seen, host] = await shown(t, `
    const controller = new AbortController();
    const asked = guest.connection().request('slow.call', {}, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await asked.catch((e) => show(e.name));`, { host: { 'slow.call': () => null } });
  assert.deepEqual(seen, ['AbortError']);
  assert.equal(host.notes[0].method, '$/cancel');
});

test('a guest may ask before it serves, and answer its own methods', async (t) => {
  const host = guest(t, `
    const { connection, config, serveHttp } = require('@bulkhead/guest');
    connection().onRequest('call', ({ params, body }) => ({ result: { got: params.x }, body }));
    config.get().then(({ a }) => serveHttp((req, res) => res.end('served ' + a)));`,
  { host: { 'config.get': () => ({ config: { a: 5 } }) } });
  assert.deepEqual((await host.hello.result()).handles.sort(), ['call', 'http.request']);
  const early = host.http();
  const call = host.ask('call', { x: 'y' }, Buffer.from('body'));
  assert.deepEqual([await call.result(), await call.text()], [{ got: 'y' }, 'body']);
  assert.equal(await early.text(), 'served 5');
});

test('outside the host it says what to do', () => {
  const { spawnSync } = require('node:child_process');
  const code = "require('./lib/index.js').serveHttp(() => {})";
  const done = spawnSync(process.execPath, ['-e', code], { cwd: require('node:path').join(__dirname, '..'), env: {} });
  assert.match(done.stderr.toString(), /bulkhead dev/);
});
