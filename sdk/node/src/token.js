// SPDX-License-Identifier: Apache-2.0
import { credentialsOf, expirationOf, fromXML, refusalOf } from './credentials.js';
import { AssertdError } from './errors.js';

const EARLY = 30_000; // milliseconds before the end of a token to get the next one
const BACKOFF = { first: 1000, most: 30_000 }; // milliseconds between tries
const TIMEOUT = 30_000;

/** The token endpoint refused, in its own words (RFC 6749 section 5.2). */
export class TokenError extends AssertdError {
  constructor(error, description = '', status = 0) {
    super(description ? `${error}: ${description}` : error);
    this.error = error;
    this.description = description;
    this.status = status;
  }
}

/** Gets access tokens, and keeps each until shortly before it expires. */
export class TokenSource {
  #client;
  #url;
  #request;
  #parameters;
  #token;
  #pending;
  #failure;
  #triesAgain = 0;
  #backoff = BACKOFF.first;

  constructor(client, url, { assertion = {}, parameters = {} } = {}) {
    checkURL(url);
    this.#client = client;
    this.#url = url;
    this.#request = assertion;
    this.#parameters = parameters;
  }

  async token() {
    if (good(this.#token, EARLY)) return this.#token;
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
      this.#backoff = BACKOFF.first;
      return this.#token;
    } catch (error) {
      this.#failure = error;
      this.#triesAgain = Date.now() + this.#backoff;
      this.#backoff = Math.min(2 * this.#backoff, BACKOFF.most);
      return this.#fallback(error);
    }
  }

  #fallback(error) {
    if (good(this.#token, 0)) return this.#token;
    throw error;
  }

  async #fetch() {
    const signed = await this.#client.assertion(this.#request);
    const body = new URLSearchParams({ ...formOf(signed), ...this.#parameters });
    const headers = { Accept: 'application/json' };
    // An assertion is for one server only.
    const response = await fetch(this.#url, {
      method: 'POST', body, headers, redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT),
    }).catch((error) => {
      throw new TokenError('no answer', error.cause?.message ?? error.message);
    });
    if (response.headers.has('location')) {
      throw new TokenError('the token endpoint redirects', `to ${response.headers.get('location')}; use that URL if you trust it`, response.status);
    }
    return parse(await response.text(), response.status, signed);
  }
}

function good(token, early) {
  return token !== undefined && (token.expiresAt === undefined || Date.now() + early < token.expiresAt * 1000);
}

const FORMS = {
  client_assertion: (signed) => ({
    grant_type: 'client_credentials', client_assertion_type: signed.assertionType, client_assertion: signed.assertion,
  }),
  assertion: (signed) => ({ grant_type: signed.assertionType, assertion: signed.assertion }),
  subject_token: (signed) => ({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: signed.assertionType,
    subject_token: signed.assertion,
  }),
  web_identity: (signed) => ({ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', WebIdentityToken: signed.assertion }),
};

function formOf(signed) {
  const form = FORMS[signed.send];
  if (!form) throw new TypeError(`grant ${signed.grant} does not make assertions for token requests; get one and send it yourself`);
  return form(signed);
}

function parse(text, status, signed) {
  const webIdentity = signed.send === 'web_identity';
  const answer = parseJSON(text) ?? (webIdentity ? fromXML(text) : undefined);
  if (typeof answer !== 'object') {
    throw new TokenError('the answer is not JSON', `HTTP ${status}; check the URL of the token endpoint`, status);
  }
  if (webIdentity) return parseCredentials(answer, status, signed);
  if (typeof answer.access_token !== 'string' || answer.access_token === '') {
    throw refusal([answer.error, answer.error_description], `no access_token in the answer with HTTP ${status}`, status, signed);
  }
  const lifetime = Number(answer.expires_in ?? Number.NaN);
  return {
    accessToken: answer.access_token,
    tokenType: answer.token_type ?? 'Bearer',
    expiresAt: Number.isFinite(lifetime) ? Date.now() / 1000 + lifetime : undefined,
    response: answer,
  };
}

function parseJSON(text) {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

// AWS STS gives no access token but credentials.
function parseCredentials(answer, status, signed) {
  const found = credentialsOf(answer);
  if (!found) throw refusal(refusalOf(answer), `no credentials in the answer with HTTP ${status}`, status, signed);
  return { accessToken: '', tokenType: '', expiresAt: expirationOf(found), response: answer };
}

// Some servers quote the assertion, which is still a credential.
function refusal(words, otherwise, status, signed) {
  const [error, description] = words.map((text) => String(text ?? '').replaceAll(signed.assertion, '[assertion]'));
  return new TokenError(error || otherwise, description, status);
}

function checkURL(url) {
  const { protocol, hostname } = new URL(url);
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && loopback)) {
    throw new TypeError(`token endpoint ${url}: want https, which keeps the assertion secret on its way`);
  }
}
