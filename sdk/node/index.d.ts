// SPDX-License-Identifier: Apache-2.0

import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';

/** Who signed on with the host. */
export interface Identity {
  id: string;
  name?: string;
  groups?: string[];
}

export interface App {
  id: string;
  name: string;
  version: string;
  build: number;
}

/** What a fetch handler is told besides the request. */
export interface FetchContext {
  /** null if nobody has signed on. */
  identity: Identity | null;
  remote: { ip?: string; scheme?: 'http' | 'https' };
  app: App;
  /** The configuration at the start; `config.get()` has it as it is now. */
  config: Record<string, unknown>;
}

export type FetchHandler = (request: Request, context: FetchContext) => Response | Promise<Response>;

export interface ServeOptions {
  /** The connection of this process if not given. */
  connection?: Connection;
}

/** Serves a web handler until the host stops the guest. */
export function serve(handler: FetchHandler | { fetch: FetchHandler }, options?: ServeOptions): Connection;

/** A request of `serveHttp`: node:http's, and who signed on. */
export interface GuestRequest extends IncomingMessage {
  identity: Identity | null;
}

/** Serves `(req, res)` handlers, Express and Connect apps, and http.Servers, without listening. */
export function serveHttp(
  handler: RequestListener | Server | ((request: GuestRequest, response: ServerResponse) => unknown),
  options?: ServeOptions,
): Connection;

/** The host said no, or the SDK before it did. */
export class HostError extends Error {
  constructor(
    code: string,
    message: string,
    options?: { retryable?: boolean; number?: number; data?: Record<string, unknown> },
  );
  /** A stable word, `quota.storage`. */
  code: string;
  /** The JSON-RPC code. */
  number: number;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** What else the host said: SQL errors have `extended` and `offset`. */
  data: Record<string, any>;
}

export interface Reply<Result = any> {
  result: Result;
  body: Uint8Array;
  /** A body that does not fit its frame. */
  stream: AsyncIterable<Uint8Array> | null;
}

export interface RequestOptions {
  body?: Uint8Array;
  /** Milliseconds the host may take. */
  timeout?: number;
  signal?: AbortSignal;
}

/** Something the host asks. */
export interface Call {
  readonly id: number | string;
  readonly method: string;
  readonly params: any;
  readonly meta?: { deadlineMs?: number; traceparent?: string };
  readonly body: Buffer;
  /** The rest of a body that does not fit its frame. */
  readonly input: AsyncIterable<Uint8Array> | null;
  readonly cancelled: boolean;
  /** Called when nobody wants the answer any more. */
  onCancel: (() => void) | null;
}

/** The guest's end of the socket. */
export class Connection {
  constructor(fd: number, options?: { handles?: string[] });
  readonly app: App;
  readonly config: Record<string, unknown>;
  readonly limits: Record<string, number>;
  readonly grants: Record<string, unknown>;
  /** Awaited before the process exits. */
  onShutdown: (() => unknown) | null;
  /** Asks the host. */
  request<Result = any>(method: string, params?: object, options?: RequestOptions): Promise<Reply<Result>>;
  /** Tells the host something that has no answer. */
  notify(method: string, params?: object, body?: Uint8Array): void;
  /**
   * Answers a method. Name every method before the first turn of the event loop is over: the
   * handshake lists them.
   */
  onRequest(
    method: string,
    handler: (call: Call) => unknown | Promise<{ result: object; body?: Uint8Array }>,
  ): void;
}

/** The connection of this process. */
export function connection(): Connection;

export type SqlValue = null | number | bigint | string | boolean | ArrayBuffer | ArrayBufferView;
export type SqlParams = readonly SqlValue[] | Readonly<Record<string, SqlValue>>;
/** An INTEGER is a number if it is exact as one, else a bigint; a BLOB is a Uint8Array. */
export type SqlResult = null | number | bigint | string | Uint8Array;
export type SqlRow = Record<string, SqlResult>;
export type SqlStatement = string | readonly [sql: string, params?: SqlParams] | { sql: string; params?: SqlParams };

export interface SqlOutcome {
  changes: number;
  lastInsertRowId: number | bigint;
}

/** Rows, their columns, and what changed if the statement writes. */
export type SqlRows<Row> = Row[] & { readonly columns: string[] } & Partial<SqlOutcome>;

export interface SqlOptions {
  /** Milliseconds; 5,000 unless said otherwise, 30,000 at most. */
  timeout?: number;
}

export interface SqlArrayOptions extends SqlOptions {
  rows: 'array';
}

export interface SqlStatements {
  readonly name: string;
  query<Row = SqlRow>(sql: string, params?: SqlParams, options?: SqlOptions): Promise<SqlRows<Row>>;
  query(sql: string, params: SqlParams, options: SqlArrayOptions): Promise<SqlRows<SqlResult[]>>;
  get<Row = SqlRow>(sql: string, params?: SqlParams, options?: SqlOptions): Promise<Row | undefined>;
  /** Rows as they come; leaving the loop stops the statement. */
  stream<Row = SqlRow>(sql: string, params?: SqlParams, options?: SqlOptions): AsyncGenerator<Row, void>;
  execute(sql: string, params?: SqlParams, options?: SqlOptions): Promise<SqlOutcome>;
  /** In one transaction, all or none. */
  batch(statements: Iterable<SqlStatement>, options?: SqlOptions): Promise<(SqlOutcome | SqlRows<SqlRow>)[]>;
  /** A statement once for each row, in one transaction, all or none. */
  executeMany(sql: string, rows: Iterable<readonly SqlValue[]>, options?: SqlOptions): Promise<SqlOutcome>;
  explain(sql: string): Promise<{
    readOnly: boolean;
    parameters: (string | null)[];
    columns: string[];
    plan: { columns: string[]; rows: unknown[][] };
  }>;
}

export interface TransactionOptions {
  /** `write` has the database's writer to itself; `read` keeps seeing the database as it was. */
  mode?: 'read' | 'write';
  /** Milliseconds until the host ends it; 5,000 unless said otherwise, 60,000 at most. */
  timeout?: number;
}

export interface Transaction extends SqlStatements {
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

export interface Database extends SqlStatements {
  /** Commits when `work` is done, rolls back if it throws. */
  transaction<Given>(work: (tx: Transaction) => Promise<Given> | Given, options?: TransactionOptions): Promise<Given>;
  begin(options?: TransactionOptions): Promise<Transaction>;
  delete(): Promise<void>;
  copy(name: string): Promise<void>;
}

export const sql: {
  /** The database of that name; `main` if not given. */
  open(name?: string): Database;
  create(name: string): Promise<Database>;
  databases(): Promise<{ name: string; bytes: number; walBytes: number; declared: boolean }[]>;
};

/** What is known of a secret but its value. */
export interface Secret {
  name: string;
  /** The newest, or the one that was asked for. */
  version: number;
  /** Those that are kept. */
  versions: number[];
  /** Seconds since 1970. */
  setAt: number;
  origin: 'app' | 'operator' | 'generated';
}

export interface GenerateOptions {
  /** `token` (base64url characters) unless said otherwise. */
  kind?: 'token' | 'bytes' | 'password';
  /** 32 (20 for a password) unless given; from 16 to 1,024. */
  length?: number;
}

/** The app's secrets: bytes that the host keeps sealed, in versions. */
export const secrets: {
  get(name: string, options?: { version?: number }): Promise<Buffer>;
  /** The value as text, which it must be in UTF-8. */
  getText(name: string, options?: { version?: number }): Promise<string>;
  /** Keeps a new version, of at most 65,536 bytes. Text is kept as UTF-8. */
  set(name: string, value: string | ArrayBuffer | ArrayBufferView): Promise<Secret>;
  /** The value; if there is none, a random one is made. All who ask at once get the same. */
  getOrCreate(name: string, options?: GenerateOptions): Promise<Buffer>;
  getOrCreateText(name: string, options?: GenerateOptions): Promise<string>;
  /** Every secret, without values. */
  list(): Promise<Secret[]>;
  /** Drops all versions. */
  delete(name: string): Promise<void>;
};

/** The public half of one version of a key. */
export interface PublicKey {
  name: string;
  version: number;
  algorithm: 'Ed25519';
  /** Seconds since 1970. */
  createdAt: number;
  /** Older versions only verify. */
  canSign: boolean;
  /** 32 bytes. */
  raw: Buffer;
  /** SubjectPublicKeyInfo, RFC 8410. */
  pem: string;
  /** RFC 8037. */
  jwk: { kty: string; crv: string; x: string; kid: string };
}

/** The app's Ed25519 keys: the host signs, no call gives a private key. */
export const keys: {
  /** `conflict.key` if there is one of that name. */
  create(name: string): Promise<PublicKey>;
  /** The newest version; the key is made if there is none. */
  getOrCreate(name: string): Promise<PublicKey>;
  /** A new version, which signs from now on; what earlier ones signed goes on verifying. */
  rotate(name: string): Promise<PublicKey>;
  publicKey(name: string, options?: { version?: number }): Promise<PublicKey>;
  /** 64 bytes. The message must fit one frame; text is UTF-8. */
  sign(name: string, message: string | ArrayBuffer | ArrayBufferView): Promise<Buffer>;
  /**
   * By the name of an own key (any version unless one is named), or by anybody's public key: a
   * PublicKey or its 32 bytes.
   */
  verify(
    key: string | Pick<PublicKey, 'raw'> | ArrayBuffer | ArrayBufferView,
    message: string | ArrayBuffer | ArrayBufferView,
    signature: ArrayBuffer | ArrayBufferView,
    options?: { version?: number },
  ): Promise<boolean>;
  /** Every version of every key. */
  list(): Promise<PublicKey[]>;
  /** Nothing verifies by that name any more. */
  delete(name: string): Promise<void>;
};

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** Lines for the app's log that carry a level and fields. What is printed goes there too. */
export const log: {
  write(level: LogLevel, message: string, fields?: object): Promise<void>;
  debug(message: string, fields?: object): Promise<void>;
  info(message: string, fields?: object): Promise<void>;
  warning(message: string, fields?: object): Promise<void>;
  error(message: string, fields?: object): Promise<void>;
};

/** The app's configuration, as the operator set it. */
export const config: { get(): Promise<Record<string, unknown>> };

/** What this month's (UTC) use costs so far. */
export interface UsageCost {
  /** RFC 3339: the first moment of the month, and now. */
  since: string;
  until: string;
  lines: {
    sku: string;
    title: string;
    priceVersion: number;
    /** ISO 4217. */
    currency: string;
    /** Millionths of the currency. */
    micros: number;
    /** What was used, in `unit`; `per` of them make one `pricingUnit`. */
    quantity: number;
    unit: string;
    pricingUnit: string;
    per: number;
    meters: { meter: string; quantity: number }[];
  }[];
  /** The exact sums of the lines. */
  totals: { currency: string; micros: number }[];
}

export const usage: {
  /** What the app used so far, by meter. */
  get(): Promise<Record<string, unknown>>;
  /** What this month's use costs so far. */
  cost(): Promise<UsageCost>;
};
