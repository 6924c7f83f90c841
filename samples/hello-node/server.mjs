// SPDX-License-Identifier: Apache-2.0

import { serve } from '@bulkhead/guest';

const routes = {
  'GET /api/facts': facts,
  'GET /events': clock,
  'POST /echo': echo,
};

serve({
  fetch(request, context) {
    const { pathname } = new URL(request.url);
    const route = routes[`${request.method} ${pathname}`];
    return route?.(request, context) ?? new Response('There is nothing here.\n', { status: 404 });
  },
});

/** What the host told this app about the request. */
function facts(request, { identity, remote, app }) {
  return Response.json({
    app: { id: app.id, version: app.version },
    runtime: `Node ${process.version}`,
    request: { method: request.method, url: request.url },
    remote,
    identity,
    headers: [...request.headers],
  });
}

/** The time, once a second, until the browser leaves. */
function clock() {
  const encoder = new TextEncoder();
  let timer;
  const body = new ReadableStream({
    start(controller) {
      let count = 0;
      const tick = () => {
        const data = JSON.stringify({ time: new Date().toISOString(), count: ++count });
        controller.enqueue(encoder.encode(`data: ${data}\n\n`));
      };
      tick();
      timer = setInterval(tick, 1000);
    },
    cancel() {
      clearInterval(timer);
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
}

/** Sends the body back while it is still arriving. */
function echo(request) {
  const type = request.headers.get('content-type') ?? 'application/octet-stream';
  return new Response(request.body, { headers: { 'content-type': type } });
}
