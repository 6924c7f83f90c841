// SPDX-License-Identifier: Apache-2.0
'use strict';

const test = require('node:test');
const assert = require('node:assert/strict');
const { guest } = require('../testing/fake-host.js');

const esm = { module: true };
const serve = (body) => `import { serve } from '@bulkhead/guest';\nserve({ ${body} });`;

test('a text is one frame with its type', async (t) => {
  const host = guest(t, serve(`fetch() { return new Response('hello'); }`), esm);
  const answer = host.http();
  assert.equal(await answer.text(), 'hello');
  assert.equal(await answer.header('content-type'), 'text/plain;charset=UTF-8');
  assert.equal(answer.message.stream, undefined);
});

test('all kinds of response', async (t) => {
  const host = guest(t, serve(`async fetch({ url }) {
    switch (new URL(url).pathname) {
      case '/json': return Response.json({ a: 1 }, { status: 201, headers: { 'x-a': 'b' } });
      case '/bytes': return new Response(new Uint8Array([0, 255]), { headers: { 'X-A': 1 } });
      case '/buffer': return new Response(new Uint8Array([1, 2]).buffer);
      case '/empty': return new Response(null, { status: 204 });
      case '/redirect': return Response.redirect('http://x.localhost/there', 303);
      case '/params': return new Response(new URLSearchParams({ a: 'b c' }));
      case '/blob': return new Response(new Blob(['blob'], { type: 'a/b' }));
      case '/cookies': {
        const response = new Response('x');
        response.headers.append('set-cookie', 'a=1');
        response.headers.append('set-cookie', 'b=2');
        return response;
      }
      case '/headers': return new Response('x', { headers: new Headers([['x-a', ' ñ '.trim()]]) });
      case '/pairs': return new Response('x', { headers: [['x-a', '1'], ['x-a', '2']] });
      case '/clone': return new Response('cloned').clone();
      case '/text': return new Response(await new Response('read back').text());
      case '/error': return Response.error();
    }
  } `), esm);
  const see = async (path) => {
    const answer = host.http('GET', path);
    return [await answer.status(), await answer.text(), answer];
  };
  let [status, text, answer] = await see('/json');
  assert.deepEqual([status, text, await answer.header('content-type'), await answer.header('x-a')],
    [201, '{"a":1}', 'application/json', 'b']);
  assert.deepEqual([...(await host.http('GET', '/bytes').body())], [0, 255]);
  assert.deepEqual([...(await host.http('GET', '/buffer').body())], [1, 2]);
  assert.deepEqual((await see('/empty')).slice(0, 2), [204, '']);
  [status, , answer] = await see('/redirect');
  assert.deepEqual([status, await answer.header('location')], [303, 'http://x.localhost/there']);
  [, text, answer] = await see('/params');
  assert.deepEqual([text, await answer.header('content-type')],
    ['a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8']);
  [, text, answer] = await see('/blob');
  assert.deepEqual([text, await answer.header('content-type')], ['blob', 'a/b']);
  assert.equal(await (await see('/cookies'))[2].header('set-cookie'), 'a=1|b=2');
  assert.equal(await (await see('/pairs'))[2].header('x-a'), '1, 2');
  assert.equal((await see('/clone'))[1], 'cloned');
  assert.equal((await see('/text'))[1], 'read back');
  assert.equal((await see('/error'))[0], 502);
});

test('what the request shows', async (t) => {
  const host = guest(t, serve(`async fetch(request, context) {
    return Response.json({
      method: request.method, url: request.url, header: request.headers.get('X-A'),
      list: [...request.headers], is: request instanceof Request, used: request.bodyUsed,
      ...context, text: await request.text(), after: request.bodyUsed,
      again: await request.text().catch((error) => error.name),
    });
  }`), esm);
  const seen = JSON.parse(await host.http('POST', '/a?b', {
    headers: [['Host', 'n.localhost:8080'], ['X-A', 'ñ']], body: Buffer.from('body'),
    identity: { id: 'ana', name: 'Ana', groups: [] },
  }).text());
  assert.deepEqual(seen, {
    method: 'POST', url: 'http://n.localhost:8080/a?b', header: 'Ã±',
    list: [['host', 'n.localhost:8080'], ['x-a', 'Ã±']], is: true, used: false,
    identity: { id: 'ana', name: 'Ana', groups: [] }, remote: { ip: '192.0.2.7', scheme: 'http' },
    app: { id: 'org.example.test', name: 'Test', version: '1', build: 1 },
    config: { colour: 'blue' }, text: 'body', after: true, again: 'TypeError',
  });
});

test('a request is the platform\'s where it must be', async (t) => {
  const host = guest(t, serve(`async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === '/new') return new Response(await new Request(request).text());
    if (pathname === '/clone') { const c = request.clone(); return new Response(await c.text() + await request.text()); }
    if (pathname === '/form') return new Response((await request.formData()).get('a'));
    if (pathname === '/blob') return new Response(String((await request.blob()).size));
    if (pathname === '/bytes') return new Response(String((await request.arrayBuffer()).byteLength));
    return Response.json(await request.json());
  }`), esm);
  const body = Buffer.from('{"a":1}');
  assert.equal(await host.http('POST', '/new', { body }).text(), '{"a":1}');
  assert.equal(await host.http('POST', '/clone', { body }).text(), '{"a":1}{"a":1}');
  assert.equal(await host.http('POST', '/blob', { body }).text(), '7');
  assert.equal(await host.http('POST', '/bytes', { body }).text(), '7');
  assert.equal(await host.http('POST', '/json', { body }).text(), '{"a":1}');
  assert.equal(await host.http('POST', '/json', { pieces: [body] }).text(), '{"a":1}');
  assert.equal(await host.http('POST', '/form', { body: Buffer.from('a=b+c'),
    headers: [['content-type', 'application/x-www-form-urlencoded']] }).text(), 'b c');
});

test('bodies stream both ways at once', async (t) => {
  const host = guest(t, serve(`fetch: (request) => new Response(request.body)`), esm);
  const body = Buffer.alloc(3_000_000, 'x');
  assert.equal((await host.http('POST', '/', { pieces: [body] }).body()).length, body.length);
  assert.equal((await host.http('POST', '/', { body: body.subarray(0, 900_000) }).body()).length,
    900_000);
});

test('a stream is sent as it comes, and cancelled when nobody wants it', async (t) => {
  const host = guest(t, serve(`fetch(request) {
    if (request.url.endsWith('/seen')) return new Response(String(globalThis.cancelled));
    let timer;
    return new Response(new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('first'));
        timer = setInterval(() => controller.enqueue(new Uint8Array(10)), 1);
      },
      cancel() { clearInterval(timer); globalThis.cancelled = true; },
    }));
  }`), esm);
  const answer = host.http();
  assert.equal((await answer.piece()).toString(), 'first');
  host.notify('$/stop', { stream: answer.message.stream });
  await answer.body();
  while ((await host.http('GET', '/seen').text()) !== 'true');
});

test('a long stream keeps to the credit', async (t) => {
  const host = guest(t, serve(`fetch: () => new Response(new ReadableStream({
    pull(controller) {
      this.left = (this.left ?? 40) - 1;
      if (this.left < 0) controller.close(); else controller.enqueue(new Uint8Array(50_000));
    },
  }))`), esm);
  assert.equal((await host.http().body()).length, 2_000_000);
});

test('a cancel aborts the request\'s signal', async (t) => {
  const host = guest(t, serve(`fetch: (request) => new Promise((resolve) => {
    request.signal.addEventListener('abort', () => { console.error('aborted'); resolve(new Response('late')); });
  })`), esm);
  const answer = host.http();
  await host.ask('ping', {}).result();
  host.notify('$/cancel', { id: answer.number });
  assert.equal((await answer.failure()).code, -32800);
  assert.equal(await host.stop(), 0);
  assert.equal(host.errors, 'aborted\n');
});

test('what fails is a 500, and midway an error of the stream', async (t) => {
  const host = guest(t, serve(`async fetch(request) {
    switch (new URL(request.url).pathname) {
      case '/nothing': return;
      case '/pieces': return new Response(new ReadableStream({ start(c) { c.enqueue('text'); } }));
      case '/midway': return new Response(new ReadableStream({
        start(c) { c.enqueue(new Uint8Array(3)); setTimeout(() => c.error(new Error('broken')), 5); },
      }));
    }
    throw new Error('secret');
  }`), esm);
  for (const path of ['/', '/nothing', '/pieces']) {
    assert.equal(await host.http('GET', path).status(), 500, path);
  }
  const midway = host.http('GET', '/midway');
  assert.equal((await midway.body()).length, 3);
  assert.equal(midway.error, 'the app failed');
});

test('run.js serves a default export', async (t) => {
  const { execPath } = process;
  const host = guest(t, `
    require('fs').writeFileSync(__dirname + '/it.mjs', 'export default { fetch: () => new Response("default") }');
    process.argv[2] = __dirname + '/it.mjs';
    require('@bulkhead/guest/run');`);
  assert.ok(execPath);
  assert.equal(await host.http().text(), 'default');
});
