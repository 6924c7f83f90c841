// SPDX-License-Identifier: Apache-2.0
'use strict';

// `(req, res)` handlers, Express apps and http.Servers, served without node:http's parser.

const http = require('node:http');
const { connection } = require('./connection.js');
const { IncomingRequest } = require('./incoming.js');
const { OutgoingResponse } = require('./outgoing.js');

/** Serves `handler`: `(req, res) => …`, an Express or Connect app, or an http.Server. */
function serveHttp(handler, { connection: link = connection() } = {}) {
  const listener = listenerOf(handler);
  link.onCall('http.request', (call) => {
    const request = new IncomingRequest(call);
    const response = new OutgoingResponse(call, request);
    request._response = response;
    call.onCancel = cancelled;
    call.response = response;
    try {
      const outcome = listener(request, response);
      if (outcome !== undefined && outcome !== null && typeof outcome.then === 'function') {
        outcome.then(undefined, (error) => failed(response, error));
      }
    } catch (error) {
      failed(response, error);
    }
  });
  return link;
}

function cancelled() {
  this.response._aborted();
}

function failed(response, error) {
  console.error(error);
  if (response.headersSent || response._gone) {
    response.destroy();
    return;
  }
  response._fields = null;
  response.writeHead(500, { 'content-type': 'text/plain; charset=utf-8' });
  response.end('Internal Server Error\n');
}

function listenerOf(handler) {
  if (handler instanceof http.Server) {
    return (request, response) => {
      if (!handler.emit('request', request, response)) {
        response.writeHead(404);
        response.end();
      }
    };
  }
  if (typeof handler !== 'function') {
    throw new TypeError('serveHttp takes a function (req, res), an Express app or an http.Server');
  }
  adopt(handler.request, http.IncomingMessage.prototype, IncomingRequest.prototype);
  adopt(handler.response, http.ServerResponse.prototype, OutgoingResponse.prototype);
  return handler;
}

/**
 * Express gives each request the prototype `app.request`, which leads to http.IncomingMessage.
 * The link above that is led through ours, so that our objects stay what they are.
 */
function adopt(object, theirs, ours) {
  if (object === undefined || object === null || typeof object !== 'object') return;
  for (let one = object; one !== null; one = Object.getPrototypeOf(one)) {
    const above = Object.getPrototypeOf(one);
    if (above === ours) return;
    if (above === theirs) {
      Object.setPrototypeOf(one, ours);
      return;
    }
  }
}

module.exports = { serveHttp };
