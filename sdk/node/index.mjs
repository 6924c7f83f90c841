// SPDX-License-Identifier: Apache-2.0
// One implementation for both kinds of module: two would be two connections.
import guest from './lib/index.js';

export const serve = (...args) => guest.serve(...args);
export const serveHttp = (...args) => guest.serveHttp(...args);
export const connection = () => guest.connection();
export const { sql, log, config, usage, Connection, HostError } = guest;
export default guest;
