// SPDX-License-Identifier: Apache-2.0
import { serveHttp } from '@bulkhead/guest';

serveHttp((req, res) => {
  if (!req.url.startsWith('/echo')) {
    res.statusCode = 404;
    res.end('nothing\n');
    return;
  }
  res.writeHead(201, { 'x-saw': `${req.method} ${req.url} ${req.headers['x-thing']}` });
  req.pipe(res);
});
