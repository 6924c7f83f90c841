// SPDX-License-Identifier: Apache-2.0
'use strict';

// The `(req, res)` contract, as node:http and the frameworks on it have it.

const test = require('node:test');
const assert = require('node:assert/strict');
const { guest, pack, Answer } = require('../testing/fake-host.js');

const serve = (body) => `const { serveHttp } = require('@bulkhead/guest');\nserveHttp(${body});`;

async function* later(go, ...pieces) {
  await go;
  yield* pieces;
}

test('the handshake names what is served', async (t) => {
  const result = await guest(t, serve('() => {}')).hello.result();
  assert.equal(result.protocol, 1);
  assert.deepEqual(result.handles, ['http.request']);
});

test('a response is one frame', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.setHeader('Content-Type', 'text/plain');
    res.end('hello ' + req.method + ' ' + req.url);
  }`));
  const answer = host.http('PUT', '/a?b=%20');
  assert.equal(await answer.text(), 'hello PUT /a?b=%20');
  assert.equal(await answer.header('content-type'), 'text/plain');
  assert.equal(answer.message.stream, undefined);
});

test('write and end within a turn are one frame', async (t) => {
  const host = guest(t, serve(`async (req, res) => {
    res.writeHead(201, { 'X-A': ['1', '2'], 'x-b': 3 });
    res.write('one ');
    await null;
    res.write(Buffer.from('two '));
    res.end(new Uint8Array([51]));
  }`));
  const answer = host.http();
  assert.equal(await answer.text(), 'one two 3');
  assert.equal(await answer.status(), 201);
  assert.deepEqual((await answer.result()).headers, [['X-A', '1'], ['X-A', '2'], ['x-b', '3']]);
  assert.equal(answer.message.stream, undefined);
});

test('what the request shows', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.end(JSON.stringify({
      headers: req.headers, distinct: req.headersDistinct.cookie, raw: req.rawHeaders,
      version: req.httpVersion, major: req.httpVersionMajor, ip: req.socket.remoteAddress,
      same: req.connection === req.socket, encrypted: req.socket.encrypted,
      identity: req.identity, complete: req.complete,
      kinds: [req instanceof require('http').IncomingMessage,
        req instanceof require('stream').Readable,
        res instanceof require('http').ServerResponse],
    }));
  }`));
  const seen = JSON.parse(await host.http('GET', '/', {
    headers: [['Host', 'a.localhost'], ['X-A', '1'], ['x-a', '2'], ['Cookie', 'a=1'],
      ['Cookie', 'b=2'], ['Set-Cookie', 'z'], ['Content-Type', 'a'], ['content-type', 'b']],
    identity: { id: 'ana' }, remote: { ip: '2001:db8::1', scheme: 'https' },
  }).text());
  assert.deepEqual(seen.headers, { host: 'a.localhost', 'x-a': '1, 2', cookie: 'a=1; b=2',
    'set-cookie': ['z'], 'content-type': 'a' });
  assert.deepEqual(seen.distinct, ['a=1', 'b=2']);
  assert.deepEqual(seen.raw.slice(0, 4), ['Host', 'a.localhost', 'X-A', '1']);
  assert.deepEqual([seen.version, seen.major, seen.ip, seen.same, seen.encrypted],
    ['1.1', 1, '2001:db8::1', true, true]);
  assert.deepEqual(seen.identity, { id: 'ana' });
  assert.deepEqual(seen.kinds, [true, true, true]);
});

test('header text beyond ASCII is bytes on both sides', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.setHeader('X-Same', req.headers['x-name']);
    res.setHeader('X-Raw', '\\xff');
    res.end(Buffer.from(req.headers['x-name'], 'latin1'));
  }`));
  const answer = host.http('GET', '/', { headers: [['X-Name', 'Iñaki ✎']] });
  assert.equal(await answer.text(), 'Iñaki ✎');
  assert.equal(await answer.header('x-same'), 'Iñaki ✎');
  assert.equal(await answer.header('x-raw'), '\xff');
});

test('header functions', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    const seen = [];
    const tell = (f) => { try { seen.push(f() ?? null); } catch (e) { seen.push(e.code); } };
    res.setHeader('X-One', 1).setHeader('x-list', ['a', 'b']);
    tell(() => res.getHeader('x-one')); tell(() => res.hasHeader('X-LIST'));
    tell(() => res.getHeaderNames()); tell(() => ({ ...res.getHeaders() }));
    tell(() => res.getRawHeaderNames());
    res.appendHeader('x-list', 'c'); tell(() => res.getHeader('X-List'));
    res.removeHeader('x-one'); tell(() => res.getHeader('x-one'));
    tell(() => res.setHeader('bad name', 'x')); tell(() => res.setHeader('x', 'a\\r\\nb: c'));
    tell(() => res.setHeader('x', undefined)); tell(() => res.writeHead(99));
    res.setHeaders(new Map([['x-map', 'm']]));
    res.flushHeaders();
    tell(() => res.headersSent); tell(() => res.setHeader('late', 1));
    tell(() => res.writeHead(200)); tell(() => res.removeHeader('x-map'));
    res.end(JSON.stringify(seen));
  }`));
  const answer = host.http();
  assert.deepEqual(JSON.parse(await answer.text()), [
    1, true, ['x-one', 'x-list'], { 'x-one': 1, 'x-list': ['a', 'b'] }, ['X-One', 'x-list'],
    ['a', 'b', 'c'], null, 'ERR_INVALID_HTTP_TOKEN', 'ERR_INVALID_CHAR',
    'ERR_HTTP_INVALID_HEADER_VALUE', 'ERR_HTTP_INVALID_STATUS_CODE', true,
    'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT', 'ERR_HTTP_HEADERS_SENT']);
  assert.equal(await answer.header('x-list'), 'a|b|c');
  assert.equal(await answer.header('x-map'), 'm');
});

test('writeHead adds to what was set, in all its forms', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.setHeader('X-A', 'old');
    if (req.url === '/object') res.writeHead(202, 'Fine', { 'x-a': 'new', 'X-B': 'b' });
    if (req.url === '/flat') res.writeHead(202, ['x-a', 'new', 'x-c', '1', 'x-c', '2']);
    if (req.url === '/pairs') res.writeHead(202, [['x-a', 'new'], ['X-B', 'b']]);
    res.end();
  }`));
  const object = host.http('GET', '/object');
  assert.deepEqual([await object.status(), await object.header('x-a'), await object.header('x-b')],
    [202, 'new', 'b']);
  assert.equal(await host.http('GET', '/flat').header('x-c'), '1|2');
  assert.equal(await host.http('GET', '/pairs').header('x-b'), 'b');
});

test('a body is read by events, by iteration and by pipe', async (t) => {
  const host = guest(t, serve(`async (req, res) => {
    if (req.url === '/pipe') return void req.pipe(res);
    if (req.url === '/pipeline') {
      return void require('stream').pipeline(req, res, (error) => console.error(error ?? 'piped'));
    }
    if (req.url === '/events') {
      let length = 0;
      req.on('data', (piece) => (length += piece.length));
      req.on('end', () => res.end('events ' + length));
      return;
    }
    req.setEncoding('latin1');
    let length = 0;
    for await (const piece of req) length += piece.length;
    res.end('iterated ' + length);
  }`));
  const body = Buffer.alloc(900_000, 'x');
  const pieces = [Buffer.alloc(700_000, 'y'), Buffer.alloc(800_000, 'z')];
  for (const url of ['/events', '/iterate']) {
    const word = url === '/events' ? 'events' : 'iterated';
    assert.equal(await host.http('POST', url, { body }).text(), `${word} 900000`);
    assert.equal(await host.http('POST', url, { pieces }).text(), `${word} 1500000`);
    assert.equal(await host.http('GET', url).text(), `${word} 0`);
  }
  for (const url of ['/pipe', '/pipeline']) {
    assert.ok((await host.http('POST', url, { body }).body()).equals(body));
    assert.ok((await host.http('POST', url, { pieces }).body()).equals(Buffer.concat(pieces)));
  }
  await host.stop();
  assert.equal(host.errors, 'piped\npiped\n');
});

test('a body nobody reads is stopped', async (t) => {
  const host = guest(t, serve(`(req, res) => res.end('no thanks')`));
  const answer = host.http('POST', '/', { pieces: [Buffer.alloc(5_000_000)] });
  assert.equal(await answer.text(), 'no thanks');
  while (!host.stopped.has(answer.upload)) await new Promise((go) => host.changed.once('change', go));
});

test('a body the client breaks off is an error', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    req.on('data', () => {});
    req.on('error', (error) => res.end(req.aborted + ' ' + error.message));
  }`));
  const answer = host._ask(40, 'http.request', { method: 'POST', target: '/', headers: [],
    remote: {}, identity: null }, Buffer.from('x'), { stream: 90 });
  host.notify('$/data', { stream: 90, end: true, error: 'the client went away' });
  assert.match(await answer.text(), /^true .*the client went away/);
});

test('a response streams as it is written, within the credit', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    if (req.url === '/late') {
      res.write('one');
      req.on('data', () => {}).on('end', () => res.end('two'));
      return;
    }
    let left = 40;
    const go = () => {
      while (left-- > 0) if (!res.write(Buffer.alloc(50_000))) return void res.once('drain', go);
      res.end();
    };
    go();
  }`));
  let go;
  const answer = host.http('POST', '/late', { pieces: later(new Promise((f) => (go = f))) });
  assert.equal((await answer.piece()).toString(), 'one');
  go();
  assert.equal(await answer.text(), 'two');
  assert.equal((await host.http().body()).length, 2_000_000);
});

test('nothing is sent beyond the credit', async (t) => {
  const host = guest(t, serve(`(req, res) => res.end(Buffer.alloc(2_000_000))`), { grant: false });
  const answer = host.http();
  let have = 0;
  while (have < 262_144) have += (await answer.piece()).length;
  assert.equal(have, 262_144);
  await host.ask('ping', {}).result();
  assert.equal(answer.pieces.length, 0);
  host.grant = true;
  host.grantCredit(answer.message.stream, 262_144);
  assert.equal((await answer.body()).length, 2_000_000 - 262_144);
});

test('the events of a response', async (t) => {
  const host = guest(t, `
    const { serveHttp } = require('@bulkhead/guest');
    const seen = [];
    serveHttp((req, res) => {
      if (req.url === '/seen') return void res.end(JSON.stringify(seen));
      for (const name of ['finish', 'close', 'prefinish']) res.on(name, () => seen.push(name));
      req.on('close', () => seen.push('req close'));
      res.end('x', () => seen.push('callback'));
      seen.push(res.writableEnded, res.finished);
      setImmediate(() => seen.push(res.writableFinished));
    });`);
  assert.equal(await host.http().text(), 'x');
  const seen = JSON.parse(await host.http('GET', '/seen').text());
  assert.deepEqual(seen.slice(0, 6), [true, true, 'prefinish', 'finish', 'callback', 'close']);
});

test('write after end is an error, and end again is harmless', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.on('error', (error) => console.error(error.code));
    res.end('x');
    res.write('y', (error) => console.error('callback', error.code));
    res.end((error) => console.error('again', error.code));
  }`));
  assert.equal(await host.http().text(), 'x');
  await host.stop();
  assert.equal(host.errors.split('\n').sort().join(' ').trim(),
    'ERR_STREAM_WRITE_AFTER_END again ERR_STREAM_ALREADY_FINISHED ' +
      'callback ERR_STREAM_WRITE_AFTER_END');
});

test('a stop closes the response', async (t) => {
  const host = guest(t, `
    const { serveHttp } = require('@bulkhead/guest');
    let closed = 0;
    serveHttp((req, res) => {
      if (req.url === '/closed') return void res.end(String(closed));
      req.on('close', () => closed++);
      req.socket.on('close', () => closed++);
      res.on('close', () => { closed++; clearInterval(timer); });
      const timer = setInterval(() => res.write('tick'), 1);
    });`);
  const answer = host.http();
  await answer.piece();
  host.notify('$/stop', { stream: answer.message.stream });
  await answer.body();
  while ((await host.http('GET', '/closed').text()) !== '3');
});

test('a cancel closes the response and is answered', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    res.on('close', () => console.error('closed', res.destroyed, res.writableEnded));
  }`));
  const answer = host.http();
  await host.ask('ping', {}).result();
  host.notify('$/cancel', { id: answer.number });
  assert.equal((await answer.failure()).code, -32800);
  assert.equal(await host.stop(), 0);
  assert.equal(host.errors, 'closed true false\n');
});

test('a handler that throws, at once or later, is a 500', async (t) => {
  const host = guest(t, serve(`(req) => {
    if (req.url === '/later') return Promise.reject(new Error('secret'));
    throw new Error('secret');
  }`));
  for (const url of ['/', '/later']) {
    const answer = host.http('GET', url);
    assert.equal(await answer.status(), 500);
    assert.equal(await answer.text(), 'Internal Server Error\n');
  }
  await host.stop();
  assert.match(host.errors, /secret/);
});

test('a response that is given up midway ends with an error', async (t) => {
  const host = guest(t, serve(`(req, res) => { res.write('one'); setImmediate(() => setImmediate(() => res.destroy())); }`));
  const answer = host.http();
  assert.equal(await answer.text(), 'one');
  assert.match(answer.error, /gave up/);
});

test('an http.Server is served without listening', async (t) => {
  const host = guest(t, `
    const server = require('http').createServer((req, res) => res.end('server'));
    require('@bulkhead/guest').serveHttp(server);`);
  assert.equal(await host.http().text(), 'server');
});

// Express gives a request the prototype `app.request` (its own object above http.IncomingMessage),
// and reaches responses the same way; compression and on-headers put functions over ours.
test('a framework that changes prototypes keeps our objects whole', async (t) => {
  const host = guest(t, `
    const http = require('http');
    const shared = Object.create(http.IncomingMessage.prototype);
    shared.get = function (name) { return this.headers[name]; };
    const answers = Object.create(http.ServerResponse.prototype);
    answers.send = function (text) {
      this.set('Content-Type', 'text/html').set('Content-Length', Buffer.byteLength(text));
      return this.end(text, 'utf8');
    };
    answers.set = function (name, value) { this.setHeader(name, value); return this; };
    answers.status = function (code) { this.statusCode = code; return this; };
    const app = (req, res) => {
      Object.setPrototypeOf(req, app.request);
      Object.setPrototypeOf(res, app.response);
      req.res = res; res.req = req; req.next = () => {}; res.locals = {};
      const head = res.writeHead;
      res.writeHead = function (...args) { this.setHeader('X-Late', 'yes'); return head.apply(this, args); };
      if (req.url === '/error') return void res.status(404).send('no ' + req.get('host'));
      let body = '';
      req.on('data', (piece) => (body += piece)).on('end', () => res.status(201).send('yes ' + body));
    };
    app.request = Object.create(shared, { app: { value: app } });
    app.response = Object.create(answers, { app: { value: app } });
    require('@bulkhead/guest').serveHttp(app);`);
  const missing = host.http('GET', '/error', { headers: [['Host', 'h']] });
  assert.deepEqual([await missing.status(), await missing.text()], [404, 'no h']);
  const made = host.http('POST', '/', { body: Buffer.from('body') });
  assert.deepEqual([await made.status(), await made.text(), await made.header('x-late')],
    [201, 'yes body', 'yes']);
  const streamed = host.http('POST', '/', { pieces: [Buffer.from('str'), Buffer.from('eam')] });
  assert.equal(await streamed.text(), 'yes stream');
});

test('many at once, answered in any order', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    const n = Number(req.url.slice(1));
    setTimeout(() => res.end(String(n)), 20 - n);
  }`));
  const answers = Array.from({ length: 16 }, (_, n) => host.http('GET', '/' + n));
  assert.deepEqual(await Promise.all(answers.map((one) => one.text())),
    answers.map((_, n) => String(n)));
});

test('frames that arrive cut in two are put together', async (t) => {
  const host = guest(t, serve(`async (req, res) => {
    let length = 0;
    for await (const piece of req) length += piece.length;
    res.end(req.url + ' ' + length);
  }`));
  await host.hello.result();
  const sizes = [0, 1, 200_000, 3, 900_000, 5];
  const bytes = Buffer.concat(sizes.map((size, n) => {
    host.answers.set(100 + n, new Answer());
    return pack({ jsonrpc: '2.0', id: 100 + n, method: 'http.request', params: {
      method: 'POST', target: '/' + n, headers: [], remote: {}, identity: null } }, Buffer.alloc(size));
  }));
  const answers = sizes.map((_, n) => host.answers.get(100 + n));
  for (let at = 0; at < bytes.length; at += 77_777) {
    host.socket.write(bytes.subarray(at, at + 77_777));
    await new Promise((go) => setImmediate(go));
  }
  assert.deepEqual(await Promise.all(answers.map((one) => one.text())),
    sizes.map((size, n) => `/${n} ${size}`));
});

test('shutdown waits for what is under way, then exits with 0', async (t) => {
  const host = guest(t, serve(`(req, res) => {
    setInterval(() => {}, 1000);
    let body = '';
    req.on('data', (piece) => (body += piece)).on('end', () => { res.write('a'); setTimeout(() => res.end(body), 5); });
  }`));
  let go;
  const answer = host.http('POST', '/', { pieces: later(new Promise((f) => (go = f)), Buffer.from('late')) });
  const stopped = host.stop();
  await host.ask('ping', {}).result();
  assert.equal(host.process.exitCode, null);
  go();
  assert.equal(await answer.text(), 'alate');
  assert.equal(await stopped, 0);
});

test('the guest ends when the host is gone', async (t) => {
  const host = guest(t, serve(`() => setInterval(() => {}, 1000)`));
  await host.hello.result();
  host.socket.destroy();
  assert.equal(await host.exited, 0);
});

test('what the host asks and nobody answers is refused', async (t) => {
  const host = guest(t, serve('() => {}'));
  assert.equal((await host.ask('no.such', {}).failure()).code, -32601);
  assert.deepEqual(await host.ask('ping', {}).result(), {});
  const text = host._ask('a"b', 'ping', {});
  assert.deepEqual(await text.result(), {});
});
