// SPDX-License-Identifier: Apache-2.0
// What a token endpoint says when it refuses, in whatever form: that of OAuth
// (RFC 6749 section 5.2), and those of AWS, Okta, Google, Salesforce, Vault, API
// gateways and RFC 9457.

// Members of errors, in lower case, in order of preference.
const CODES = ['error', 'errorcode', 'error_code', '__type', 'code', 'faultcode', 'reason', 'status', 'type'];
const TEXTS = ['error_description', 'errorsummary', 'message', 'errormessage', 'error_message', 'detail',
  'description', 'faultstring', 'diagnostics', 'title', 'msg', 'text'];
const PARENTS = ['error', 'errors', 'fault', 'errorcauses', 'detail', 'details', 'issue', 'body', 'reason'];
const DEPTH = 8; // of the nesting that is searched
const LONGEST = 500; // characters of a server's text

/** Returns the code and the text of an error, which are empty if it has none. */
export function findRefusal(value, depth = DEPTH) {
  if (depth === 0 || value === null) return { code: '', text: '' };
  if (typeof value === 'string') return { code: '', text: value };
  if (Array.isArray(value)) return join(value, depth);
  return typeof value === 'object' ? ofObject(value, depth) : { code: '', text: '' };
}

function join(values, depth) {
  const found = values.map((value) => findRefusal(value, depth - 1));
  const texts = new Set(found.map(({ text }) => text).filter(Boolean));
  return { code: found.find(({ code }) => code)?.code ?? '', text: [...texts].join('; ') };
}

function ofObject(value, depth) {
  const members = new Map(Object.entries(value).map(([name, member]) => [name.toLowerCase(), member]));
  const first = (names) => names.map((name) => members.get(name)).find(says) ?? '';
  const inner = join(PARENTS.map((name) => members.get(name)).filter((member) => typeof member === 'object'), depth);
  const code = first(CODES) || inner.code;
  const text = first(TEXTS);
  return { code, text: text && inner.text && inner.text !== text ? `${text}: ${inner.text}` : text || inner.text };
}

// about:blank says nothing (RFC 9457 section 4.2.1).
const says = (text) => typeof text === 'string' && text !== '' && text !== 'about:blank';

/** Returns code and text of a form or a plain text, which are empty if the body is neither. Some servers don't name the type of a text. */
export function plainRefusal(contentType, text) {
  const mediaType = (contentType ?? '').split(';')[0].trim().toLowerCase();
  if (mediaType === 'application/x-www-form-urlencoded') return findRefusal(Object.fromEntries(new URLSearchParams(text)));
  const said = text.trim();
  return { code: '', text: ['', 'text/plain'].includes(mediaType) && !/^[<{[]/.test(said) ? said : '' };
}

/** Returns code and text in WWW-Authenticate (RFC 6750 section 3), where some servers give their only reason. */
export function challengeRefusal(challenge) {
  const found = {};
  for (const [, name, value] of (challenge ?? '').matchAll(/(?:^|[\s,])(error|error_description)="([^"]*)"/gi)) found[name.toLowerCase()] = value;
  return { code: found.error ?? '', text: found.error_description ?? '' };
}

/** Returns whether a body is a web page, whatever its type. */
export function isPage(text) {
  return /^\s*<(?:!doctype html|html)/i.test(text);
}

/** Returns the title of a web page, or an empty string. */
export function pageTitle(text) {
  const found = /<(?:title|h1)\b[^>]*>(.*?)<\//is.exec(text);
  return found ? found[1].trim().replace(/\s+/g, ' ') : '';
}

/** Returns a server's text without the secrets that were in the request, and without what a terminal would obey. */
export function clean(text, secrets) {
  for (const secret of secrets) text = text.replaceAll(secret, '[assertion]');
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ').slice(0, LONGEST);
}
