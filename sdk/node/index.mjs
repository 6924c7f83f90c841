// SPDX-License-Identifier: Apache-2.0
// One implementation for both kinds of module: two would be two connections.
import guest from './lib/index.js';

export const serve = (...args) => guest.serve(...args);
export const serveHttp = (...args) => guest.serveHttp(...args);
export const connection = () => guest.connection();
export const { sql, log, config, usage, Connection, HostError } = guest;
// Loaded when first called; these are the names to look for.
const late = (part, ...names) =>
  Object.fromEntries(names.map((name) => [name, (...args) => guest[part][name](...args)]));
export const secrets = late('secrets', 'get', 'getText', 'set', 'getOrCreate', 'getOrCreateText',
  'list', 'delete');
export const keys = late('keys', 'create', 'getOrCreate', 'rotate', 'publicKey', 'sign', 'verify',
  'list', 'delete');
export default guest;
