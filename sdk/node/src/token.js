// SPDX-License-Identifier: Apache-2.0
import { setTimeout as sleep } from 'node:timers/promises';

import { authenticationOf, formOf, requestOf } from './tokenform.js';
import { TokenError, tokenOf } from './tokenresponse.js';

const EARLY = 60; // seconds before the end of a token to get the next one, at most; and a tenth of its life
const BACKOFF = { first: 1000, most: 30_000, asked: 300_000 }; // milliseconds between tries
const PAUSE = { usual: 500, most: 5000 }; // milliseconds before the one retry
const TIMEOUT = 30_000;
const LONGEST_ANSWER = 1 << 20; // bytes

/** Gets access tokens, and keeps each until shortly before it expires. */
export class TokenSource {
  #client;
  #url;
  #request;
  #clientAuth;
  #parameters;
  #token;
  #renewAt = 0;
  #pending;
  #failure;
  #triesAgain = 0;
  #backoff = BACKOFF.first;

  constructor(client, url, { assertion = {}, clientAuth, parameters = {} } = {}) {
    checkURL(url);
    this.#client = client;
    this.#url = url;
    this.#request = assertion;
    this.#clientAuth = clientAuth;
    this.#parameters = parameters;
  }

  async token() {
    if (this.#token && Date.now() < this.#renewAt) return this.#token;
    if (Date.now() < this.#triesAgain) return this.#fallback(this.#failure);
    // All who wait share the outcome.
    this.#pending ??= this.#renew().finally(() => (this.#pending = undefined));
    return this.#pending;
  }

  forget(token) {
    if (this.#token === token) this.#token = undefined;
  }

  async #renew() {
    try {
      this.#token = await this.#fetch();
      this.#renewAt = renewalOf(this.#token);
      this.#triesAgain = 0;
      this.#backoff = BACKOFF.first;
      return this.#token;
    } catch (error) {
      this.#failure = error;
      const wait = Math.max(this.#backoff, Math.min(1000 * (error.retryAfter ?? 0), BACKOFF.asked));
      this.#triesAgain = Date.now() + wait * (1 + Math.random() / 4);
      this.#backoff = Math.min(2 * this.#backoff, BACKOFF.most);
      return this.#fallback(error);
    }
  }

  #fallback(error) {
    if (this.#token && Date.now() / 1000 < this.#token.expiresAt) return this.#token;
    throw error;
  }

  async #fetch() {
    try {
      return await this.#attempt();
    } catch (error) {
      const pause = 1000 * error.retryAfter || PAUSE.usual;
      if (!isTemporary(error) || pause > PAUSE.most || !this.#isRepeatable(error)) throw error;
      await sleep(pause);
    }
    return this.#attempt();
  }

  // Codes and refresh tokens are used once, so a request whose outcome is
  // unknown is not repeated with one.
  #isRepeatable(error) {
    return (this.#parameters.grant_type ?? 'client_credentials') === 'client_credentials' || error.cause?.code === 'ECONNREFUSED';
  }

  async #attempt() {
    const signed = await this.#client.assertion(this.#request);
    const fields = formOf(signed);
    const secrets = [signed.assertion];
    if (this.#clientAuth) {
      const own = await this.#client.assertion(this.#clientAuth);
      Object.assign(fields, authenticationOf(signed, own));
      secrets.push(own.assertion);
    }
    const answer = await this.#exchange(requestOf(signed.send, { ...fields, ...this.#parameters }));
    return tokenOf(answer, signed.send, secrets);
  }

  async #exchange({ headers, body }) {
    try {
      // An assertion is for one server only.
      const response = await fetch(this.#url, { method: 'POST', body, headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT) });
      const target = response.headers.get('location');
      if (target !== null && response.status >= 300 && response.status < 400) {
        throw new TokenError('the token endpoint redirects', `to ${targetOf(target, this.#url)}`, response.status);
      }
      return { status: response.status, headers: response.headers, text: await textOf(response) };
    } catch (error) {
      if (error instanceof TokenError) throw error;
      const failed = new TokenError('no answer', error.cause?.message ?? error.message);
      failed.cause = error.cause ?? error;
      throw failed;
    }
  }
}

// Where a redirect leads, without what may be secret in a URL.
function targetOf(location, url) {
  try {
    const { origin, pathname } = new URL(location, url);
    return `${origin}${pathname}; use that URL if you trust it`;
  } catch {
    return 'something that is not a URL';
  }
}

// The body, cut off where no answer is that long.
async function textOf({ body }) {
  const parts = [];
  let size = 0;
  for await (const part of body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > LONGEST_ANSWER) break;
  }
  return new TextDecoder().decode(Buffer.concat(parts).subarray(0, LONGEST_ANSWER));
}

// One without an end is used once.
function renewalOf({ expiresAt }) {
  if (expiresAt === undefined) return 0;
  return 1000 * (expiresAt - Math.min(EARLY, (expiresAt - Date.now() / 1000) / 10));
}

function isTemporary(error) {
  if (!(error instanceof TokenError)) return false;
  if (error.status === 0) return error.cause?.name !== 'TimeoutError' && !/CERT|SELF_SIGNED|UNABLE_TO/.test(error.cause?.code ?? '');
  return [502, 503, 504].includes(error.status);
}

function checkURL(url) {
  const { protocol, hostname } = new URL(url);
  // A URL has the four numbers of an IPv4 address in their normal form.
  const loopback = ['localhost', '[::1]'].includes(hostname) || /^127(\.\d+){3}$/.test(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && loopback)) {
    throw new TypeError(`token endpoint ${url}: want https, which keeps the assertion secret on its way`);
  }
}
