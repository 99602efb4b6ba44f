// SPDX-License-Identifier: Apache-2.0
// Gets an access token with only Node's standard library.
//   ASSERTD_SOCKET=.assertd/assertd.sock TOKEN_URL=https://as.example/token node token.mjs
import http from 'node:http';

const socketPath = process.env.ASSERTD_SOCKET ?? '/run/assertd/assertd.sock';

// One agent for all requests, so that connections are reused.
const agent = new http.Agent({ keepAlive: true, timeout: 10_000 });

/** Returns a JSON object, or an empty one for anything else. */
function document(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

/** Returns those members of an answer that are texts. */
function said(answer, ...members) {
  return members.map((name) => answer[name]).filter((text) => typeof text === 'string').join(': ');
}

/** Returns a fresh assertion. Each one is single-use: ask for a new one every time. */
function assertion(request = {}) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const sent = http.request({ agent, socketPath, method: 'POST', path: '/v1/assertions', headers }, async (response) => {
      try {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        const answer = document(text);
        if (response.statusCode === 200 && answer.assertion) return resolve(answer);
        const reason = said(answer, 'title', 'detail') || `HTTP ${response.statusCode}; is this the daemon's socket?`;
        // The code is stable, such as "audience-not-allowed".
        reject(Object.assign(new Error(reason), { code: answer.code }));
      } catch (error) {
        reject(error);
      }
    });
    sent.on('timeout', () => sent.destroy(new Error('assertd timed out')));
    sent.on('error', reject);
    sent.end(JSON.stringify(request));
  });
}

/** Returns an access token for client credentials (RFC 7523, section 2.2). */
async function token(url, signed, parameters = {}) {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: signed.assertion_type,
    client_assertion: signed.assertion,
    ...parameters,
  });
  const response = await fetch(url, { method: 'POST', body, redirect: 'manual', signal: AbortSignal.timeout(30_000) });
  const answer = document(await response.text());
  if (!answer.access_token) { // some servers refuse with status 200
    throw new Error(`HTTP ${response.status}: ${said(answer, 'error', 'error_description') || 'the answer has no access token'}`);
  }
  return answer;
}

try {
  const signed = await assertion();
  if (process.env.TOKEN_URL) {
    const answer = await token(process.env.TOKEN_URL, signed);
    const lasts = answer.expires_in ? ` for ${answer.expires_in} s` : ''; // a server need not say
    console.log(`got a ${answer.token_type ?? 'bearer'} token${lasts}`);
  } else {
    console.log(JSON.stringify(JSON.parse(Buffer.from(signed.assertion.split('.')[1], 'base64url')), null, 2));
  }
} catch (error) {
  console.error(`token.mjs: ${error.cause?.message ?? error.message}`); // fetch only says that it failed
  process.exitCode = 1;
} finally {
  agent.destroy();
}
