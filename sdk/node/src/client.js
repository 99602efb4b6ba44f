// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

import { Connections, Lost } from './connection.js';
import { NotAssertd, Problem, VersionMismatch } from './errors.js';

export const DEFAULT_SOCKET = '/run/assertd/assertd.sock';

// Gives a daemon that restarts time to come back, in milliseconds.
const RESTART_DELAY = 200;

// If the daemon asks for a longer wait, the error is the caller's.
const MAX_DELAY = 2000;

/** A connection pool to one daemon. Its methods can run at the same time; make one and keep it. */
export class Client {
  #timeout;
  #connections;

  constructor({ socketPath = process.env.ASSERTD_SOCKET || DEFAULT_SOCKET, timeout = 10_000 } = {}) {
    this.socketPath = pathOf(socketPath);
    this.#timeout = timeout;
    this.#connections = new Connections(this.socketPath);
  }

  close() {
    this.#connections.close();
  }

  async assertion(request = {}, options) {
    return assertionOf(await this.#call('POST', '/v1/assertions', bodyOf(request), options));
  }

  async batch(requests, options) {
    const { results } = await this.#call('POST', '/v1/assertions/batch', { requests: requests.map(bodyOf) }, options);
    if (results.length !== requests.length) throw new NotAssertd(`got ${results.length} results for ${requests.length} requests`);
    return results.map(({ assertion, problem }) => (problem ? new Problem(problem, problem.status) : assertionOf(assertion)));
  }

  callback(request) {
    return async () => (await this.assertion(request)).assertion;
  }

  async sign({ key, hash, digest, padding }, options) {
    const body = { key, hash, digest: Buffer.from(digest).toString('base64'), padding };
    const { signature, kid } = await this.#call('POST', '/v1/sign', body, options);
    return { signature: new Uint8Array(Buffer.from(signature, 'base64')), kid };
  }

  async grants(options) {
    return this.#call('GET', '/v1/grants', undefined, options);
  }

  async keys(options) {
    return (await this.#call('GET', '/v1/keys', undefined, options)).keys;
  }

  async jwks(options) {
    return this.#call('GET', '/v1/jwks', undefined, options);
  }

  async version(options) {
    return (await this.#call('GET', '/v1/health', undefined, options)).version;
  }

  async ready(options) {
    const response = await this.#exchange('GET', '/v1/ready', undefined, this.#signal(options));
    const document = this.#parse(response);
    return typeof document?.ready === 'boolean' ? document : this.#success(response);
  }

  #signal({ signal } = {}) {
    const end = this.#timeout === null ? [] : [AbortSignal.timeout(this.#timeout)];
    return AbortSignal.any(signal ? [signal, ...end] : end);
  }

  async #call(method, path, body, options) {
    const text = body === undefined ? undefined : JSON.stringify(body);
    try {
      return await this.#retried(method, path, text, this.#signal(options));
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'not-found') throw error;
      throw new VersionMismatch(await this.#mismatch(method, path, options), { cause: error });
    }
  }

  async #mismatch(method, path, options) {
    if (path === '/v1/health') { // the daemon does not even tell its version
      return `${this.socketPath} is not a callers' socket, perhaps the operator's; callers use another one, by default ${DEFAULT_SOCKET}`;
    }
    return `assertd ${await this.version(options)} has no ${method} ${path}; upgrade the daemon, or use the client of its version`;
  }

  async #retried(method, path, body, signal) {
    try {
      return this.#success(await this.#connections.exchange(method, path, body, signal));
    } catch (error) {
      const delay = retryDelay(error, method === 'GET');
      if (delay === undefined) throw error instanceof Lost ? error.explained(this.socketPath) : error;
      await sleep(delay, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    }
    return this.#success(await this.#exchange(method, path, body, signal));
  }

  async #exchange(method, path, body, signal) {
    try {
      return await this.#connections.exchange(method, path, body, signal);
    } catch (error) {
      throw error instanceof Lost ? error.explained(this.socketPath) : error;
    }
  }

  #success(response) {
    const document = this.#parse(response);
    if (response.status === 200 && typeof document === 'object' && document !== null) return document;
    if (typeof document?.code !== 'string') throw this.#foreign(response);
    throw new Problem(document, response.status);
  }

  #parse(response) {
    try {
      return JSON.parse(response.text);
    } catch {
      throw this.#foreign(response);
    }
  }

  #foreign({ status, mediaType }) {
    return new NotAssertd(`${this.socketPath} returned HTTP ${status} with ${mediaType}; is another program listening there?`);
  }
}

// How many milliseconds to wait before the one retry, or undefined for none. A
// 503 is the daemon's word that it did nothing. A request that may have reached
// the daemon is repeated only if repeating it costs nothing: a POST would spend
// a budget twice.
function retryDelay(error, idempotent) {
  let delay;
  if (error instanceof Problem) {
    delay = error.retryAfter * 1000 || RESTART_DELAY;
    if (error.status !== 503 || delay > MAX_DELAY) return undefined;
  } else if (error instanceof Lost && error.restarting && (idempotent || !error.sent)) {
    delay = RESTART_DELAY;
  } else {
    return undefined;
  }
  return delay * (1 + Math.random() / 4); // so that callers don't all retry at once
}

// The path in a path or a URL, unix:///path.
function pathOf(socket) {
  const path = socket.startsWith('unix:///') ? socket.slice('unix://'.length) : socket;
  if (path.startsWith('@') || path.includes('\0') || path.includes('://')) {
    throw new TypeError(`socket ${JSON.stringify(socket)}: want a path such as ${DEFAULT_SOCKET}`);
  }
  if (Buffer.byteLength(path) > 107) {
    throw new TypeError(`socket ${JSON.stringify(socket)}: the kernel allows 107 bytes; use a shorter path`);
  }
  return path;
}

function bodyOf({ grant, audience, claims, lifetime }) {
  return { grant, audience, claims, lifetime_seconds: lifetime };
}

function assertionOf(document) {
  if (typeof document.assertion !== 'string') throw new NotAssertd('the answer has no assertion; is another program listening on the socket?');
  return {
    assertion: document.assertion,
    assertionType: document.assertion_type ?? '',
    send: document.send ?? '',
    kid: document.kid,
    alg: document.alg,
    jti: document.jti ?? '',
    issuedAt: document.issued_at,
    expiresAt: document.expires_at,
    grant: document.grant,
  };
}
