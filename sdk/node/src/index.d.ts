// SPDX-License-Identifier: Apache-2.0
/** The socket path in assertd's packages and images. */
export const DEFAULT_SOCKET: string;

export interface ClientOptions {
  /** The daemon's socket. By default $ASSERTD_SOCKET, or DEFAULT_SOCKET. */
  socketPath?: string;
  /** The limit of each call in milliseconds, its retry included. By default 10,000; null means no limit. */
  timeout?: number | null;
}

export interface CallOptions {
  /** Ends the call. The daemon then gives up the request. */
  signal?: AbortSignal;
}

/** What to ask for. Leave out the grant if only one fits, and the audience if the grant has only one. */
export interface AssertionRequest {
  grant?: string;
  /** One of the grant's audiences, byte for byte. */
  audience?: string;
  /** Claims to add. The grant must allow each of them. */
  claims?: Record<string, unknown>;
  /** Seconds from iat to exp. The grant has a default. */
  lifetime?: number;
}

/** A signed assertion. Anyone who has it can use it until it expires: send it to its receiver, once, and never store or log it. */
export interface Assertion {
  assertion: string;
  /** Empty for profiles outside of OAuth. */
  assertionType: string;
  /** How the receiver wants it, such as client_assertion or bearer. */
  send: string;
  kid: string;
  alg: string;
  jti: string;
  /** Seconds since the Unix epoch. */
  issuedAt: number;
  /** Seconds since the Unix epoch. */
  expiresAt: number;
  grant: string;
}

export interface SignRequest {
  /** A key set of client.keys(). */
  key: string;
  /** none is for Ed25519, which signs the message itself. */
  hash: 'SHA-256' | 'SHA-384' | 'SHA-512' | 'none';
  digest: Uint8Array;
  /** For RSA only. */
  padding?: 'pkcs1v15' | 'pss';
}

/** ASN.1 DER for ECDSA, plain bytes for RSA and Ed25519. */
export interface Signature {
  signature: Uint8Array;
  kid: string;
}

/** A raw key set that this process may use. public_key and certificates are PEM. */
export interface KeyInfo {
  key: string;
  kid: string;
  alg: string;
  public_key: string;
  certificates?: string[];
  hashes: string[];
  paddings?: string[];
}

export interface Budget {
  name: string;
  limit: number;
  per_seconds: number;
  burst?: number;
  remaining: number;
  reset_seconds: number;
}

export interface Grant {
  name: string;
  client: string;
  use: 'assertion' | 'raw' | 'kubernetes';
  key: string;
  kid?: string;
  alg?: string;
  profile?: string;
  issuer?: string;
  subject?: string;
  audiences?: string[];
  lifetime?: { default_seconds: number; max_seconds: number };
  claims?: Record<string, unknown>;
  hashes?: string[];
  paddings?: string[];
  budgets?: Budget[];
  in_flight_limit?: number;
}

/** How the daemon has identified this process, and all that it may have signed. */
export interface Grants {
  caller: { uid: number; gid: number; pid: number; clients?: string[]; [name: string]: unknown };
  grants: Grant[];
}

export interface Ready {
  ready: boolean;
  /** Why nothing can be signed. */
  reason?: string;
  detail?: string;
  /** The key sets that can't sign. */
  degraded?: { key: string; reason: string; detail: string }[];
  warnings?: string[];
  [name: string]: unknown;
}

export interface JWKSet {
  keys: { kty: string; kid: string; [name: string]: unknown }[];
}

/**
 * A connection pool to one daemon. Its methods can run at the same time; make one and keep it.
 *
 * A call is repeated once if the daemon answers 503 with a short wait, or is restarting and can't have got the request. Every
 * method rejects with Problem if the daemon refuses, with Unavailable if it can't be reached, and with a TimeoutError.
 */
export class Client {
  constructor(options?: ClientOptions);
  readonly socketPath: string;
  /** Closes idle connections. */
  close(): void;
  /** Returns a fresh assertion. */
  assertion(request?: AssertionRequest, options?: CallOptions): Promise<Assertion>;
  /** Returns a result for each of at most 64 requests, in the same order. A refused request's Problem is not thrown. */
  batch(requests: AssertionRequest[], options?: CallOptions): Promise<(Assertion | Problem)[]>;
  /** Returns a function that returns a fresh assertion: the callback that libraries take. */
  callback(request?: AssertionRequest): () => Promise<string>;
  /** Returns a raw signature with a key set whose use is raw. */
  sign(request: SignRequest, options?: CallOptions): Promise<Signature>;
  grants(options?: CallOptions): Promise<Grants>;
  keys(options?: CallOptions): Promise<KeyInfo[]>;
  /** Returns the public JWK set (RFC 7517 section 5). */
  jwks(options?: CallOptions): Promise<JWKSet>;
  /** Returns the daemon's version if it is running, able to sign or not. */
  version(options?: CallOptions): Promise<string>;
  /** Returns whether the daemon can sign now. A daemon that can't is no error. */
  ready(options?: CallOptions): Promise<Ready>;
}

/** Any failure to get something from assertd. */
export class AssertdError extends Error {}
/** No daemon answers on the socket, or the connection broke. */
export class Unavailable extends AssertdError {}
/** What answers on the socket does not speak this API. */
export class NotAssertd extends AssertdError {}
/** The daemon is too old, or too new, for the call. */
export class VersionMismatch extends AssertdError {}

/** A refusal or failure of the daemon: a problem document (RFC 9457). */
export class Problem extends AssertdError {
  /** Stable, such as audience-not-allowed. Treat an unknown code by its status. */
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  /** Seconds, or 0 if the daemon doesn't say. */
  readonly retryAfter: number;
}

/** The token endpoint refused, in its own words (RFC 6749 section 5.2). */
export class TokenError extends AssertdError {
  readonly error: string;
  readonly description: string;
  /** 0 if there was no answer. */
  readonly status: number;
  /** Seconds, or 0 if the server doesn't say. */
  readonly retryAfter: number;
}

export interface Token {
  /** Empty for AWS STS, whose credentials are in response. */
  accessToken: string;
  tokenType: string;
  /** Seconds since the Unix epoch, if the server says. Without it, TokenSource gets another token each time. */
  expiresAt?: number;
  /** Every member of the answer. */
  response: Record<string, unknown>;
}

export interface TokenOptions {
  assertion?: AssertionRequest;
  /** A second assertion, which authenticates the client beside a grant or a token exchange. */
  clientAuth?: AssertionRequest;
  /** Further parameters of the token request, such as scope. */
  parameters?: Record<string, string>;
}

/**
 * Gets access tokens from a token endpoint, and keeps each until shortly before it expires. The grant's profile decides how the
 * assertion is sent: as client authentication, authorization grant, subject token, the web identity token of AWS STS, or a login at OpenBao or Vault. A
 * request whose connection broke, or that got a status from 502 to 504, is repeated once, with a new assertion.
 *
 * If the server fails while the present token is good, that one is used. After a failure the server is left alone for a second,
 * then for longer, at most 30 seconds or as long as it asks for, up to five minutes; until then every caller gets the same error.
 */
export class TokenSource {
  constructor(client: Client, url: string, options?: TokenOptions);
  token(): Promise<Token>;
  /** Gets another token next time: a server has rejected this one. */
  forget(token: Token): void;
}
