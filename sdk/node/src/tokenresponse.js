// SPDX-License-Identifier: Apache-2.0
import { credentialsOf, expirationOf, fromXML } from './credentials.js';
import { AssertdError } from './errors.js';
import { challengeRefusal, clean, findRefusal, isPage, pageTitle, plainRefusal } from './refusal.js';

const LONGEST_LIFETIME = 10 * 365 * 24 * 3600; // seconds; a longer one is a mistake

/** The token endpoint refused, in its own words (RFC 6749 section 5.2). */
export class TokenError extends AssertdError {
  constructor(error, description = '', status = 0, retryAfter = 0) {
    super(description ? `${error}: ${description}` : error);
    this.error = error;
    this.description = description;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const PARSERS = { web_identity: parseCredentials, vault_login: parseLogin };

/** Returns the token in the answer to a request with these secrets. Throws TokenError if there is none. */
export function tokenOf({ status, headers, text }, send, secrets) {
  const { answer, fault } = read(text);
  const found = status >= 200 && status < 300 && isObject(answer) ? (PARSERS[send] ?? parse)(answer) : undefined;
  if (!found) throw refusal(fault, { status, headers, text }, secrets, send === 'web_identity' ? 'credentials' : 'access_token');
  if (/[^ -~]/.test(found.accessToken)) {
    throw new TokenError('the access token has characters that no token may have', 'RFC 6749, appendix A.12', status);
  }
  return found;
}

// The answer, and where its error would be: in XML below the root.
function read(text) {
  try {
    const answer = JSON.parse(text) ?? undefined;
    return { answer, fault: answer };
  } catch {
    const answer = isPage(text) ? undefined : fromXML(text);
    if (answer === undefined) return {};
    return { answer, fault: Object.values(answer)[0] };
  }
}

const isObject = (value) => typeof value === 'object' && !Array.isArray(value);

function parse(answer) {
  if (typeof answer.access_token !== 'string' || answer.access_token === '') return undefined;
  const tokenType = typeof answer.token_type === 'string' ? answer.token_type : 'Bearer';
  return { accessToken: answer.access_token, tokenType, expiresAt: endOf(answer.expires_in), response: answer };
}

// AWS STS gives no access token but credentials.
function parseCredentials(answer) {
  const found = credentialsOf(answer);
  return found && { accessToken: '', tokenType: '', expiresAt: expirationOf(found), response: answer };
}

function parseLogin(answer) {
  const token = answer.auth?.client_token;
  if (typeof token !== 'string' || token === '') return undefined;
  return { accessToken: token, tokenType: 'Bearer', expiresAt: endOf(answer.auth.lease_duration), response: answer };
}

// Some servers write the seconds as a text.
function endOf(lifetime) {
  const seconds = ['number', 'string'].includes(typeof lifetime) ? Number(lifetime) : 0;
  return seconds > 0 && seconds <= LONGEST_LIFETIME ? Date.now() / 1000 + seconds : undefined;
}

function refusal(fault, { status, headers, text }, secrets, member) {
  let found = fault === undefined ? reasonOf(status, headers, text) : findRefusal(fault);
  if (!found.code && !found.text) found = challengeRefusal(headers.get('www-authenticate'));
  let error = found.code || `no ${member} in the answer with HTTP ${status}`;
  let description = found.text;
  if (fault === undefined && !found.code && !found.text) {
    error = pageTitle(text) ? `the answer is a web page titled "${pageTitle(text)}"` : 'the answer is not JSON';
    description = `HTTP ${status}; check the URL of the token endpoint`;
  }
  return new TokenError(clean(error, secrets), clean(description, secrets), status, waitOf(headers));
}

// The reason in an answer that is neither JSON nor XML. A success without a
// token may have the token in a form of its own, so it isn't shown.
function reasonOf(status, headers, text) {
  return status < 400 ? { code: '', text: '' } : plainRefusal(headers.get('content-type'), text);
}

// Seconds; the form with a date is ignored.
function waitOf(headers) {
  const given = headers.get('retry-after') ?? '';
  return /^\d{1,6}$/.test(given) ? Number(given) : 0;
}
