// SPDX-License-Identifier: Apache-2.0
// The answers of AWS STS, and of other servers with its API, of which some know
// only XML.

const DEPTH = 8; // of the elements in an answer

/** Returns an answer in XML as the JSON that AWS sends, or undefined if it isn't XML. */
export function fromXML(text) {
  const stack = [{ members: {} }];
  let content = '';
  for (const [, close, name, empty, words] of text.matchAll(/<(\/?)([A-Za-z][\w.:-]*)[^<>]*?(\/?)>|([^<]+)/g)) {
    if (name === undefined) {
      content = words;
    } else if (close) {
      const done = stack.pop();
      if (stack.length === 0 || done.name !== name) return undefined;
      stack.at(-1).members[localName(name)] = Object.keys(done.members).length ? done.members : plain(content);
      content = '';
    } else {
      if (stack.length > DEPTH) return undefined;
      if (empty) stack.at(-1).members[localName(name)] = '';
      else stack.push({ name, members: {} });
      content = '';
    }
  }
  const [root] = stack;
  return stack.length === 1 && Object.keys(root.members).length === 1 ? root.members : undefined;
}

/** Returns the credentials in an answer, or undefined if it has none. */
export function credentialsOf(answer) {
  const found = answer.AssumeRoleWithWebIdentityResponse?.AssumeRoleWithWebIdentityResult?.Credentials;
  return found?.AccessKeyId ? found : undefined;
}

/** Returns when credentials expire, in seconds since the Unix epoch: a number in JSON, text in XML. */
export function expirationOf({ Expiration }) {
  const seconds = typeof Expiration === 'number' ? Expiration : Date.parse(Expiration) / 1000;
  return Number.isFinite(seconds) ? seconds : undefined;
}

const localName = (name) => name.slice(name.indexOf(':') + 1);

const CHARACTERS = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

function plain(text) {
  return text.trim().replace(/&(?:#(\d{1,6})|#x([\da-f]{1,5})|(lt|gt|quot|apos|amp));/gi, (_, decimal, hex, name) =>
    name ? CHARACTERS[name.toLowerCase()] : String.fromCodePoint(decimal ?? Number.parseInt(hex, 16)));
}
