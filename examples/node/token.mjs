// SPDX-License-Identifier: Apache-2.0
// Gets an access token with only Node's standard library.
//   ASSERTD_SOCKET=.assertd/assertd.sock TOKEN_URL=https://as.example/token node token.mjs
import http from 'node:http';

const socketPath = process.env.ASSERTD_SOCKET ?? '/run/assertd/assertd.sock';

// One agent for all requests, so that connections are reused.
const agent = new http.Agent({ keepAlive: true, timeout: 10_000 });

/** Returns a fresh assertion. Each one is single-use: ask for a new one every time. */
function assertion(request = {}) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const sent = http.request({ agent, socketPath, method: 'POST', path: '/v1/assertions', headers }, async (response) => {
      try {
        let text = '';
        for await (const part of response.setEncoding('utf8')) text += part;
        const answer = JSON.parse(text);
        if (response.statusCode === 200) return resolve(answer);
        // The code is stable, such as "audience-not-allowed".
        reject(Object.assign(new Error(`${answer.title}: ${answer.detail}`), { code: answer.code }));
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
  const response = await fetch(url, { method: 'POST', body, redirect: 'error', signal: AbortSignal.timeout(30_000) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.error}: ${answer.error_description}`);
  return answer;
}

try {
  const signed = await assertion();
  if (process.env.TOKEN_URL) {
    const answer = await token(process.env.TOKEN_URL, signed);
    console.log(`got a ${answer.token_type} token for ${answer.expires_in} s`);
  } else {
    console.log(JSON.stringify(JSON.parse(Buffer.from(signed.assertion.split('.')[1], 'base64url')), null, 2));
  }
} catch (error) {
  console.error(`token.mjs: ${error.message}`);
  process.exitCode = 1;
} finally {
  agent.destroy();
}
