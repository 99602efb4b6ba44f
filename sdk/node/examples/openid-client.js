// SPDX-License-Identifier: Apache-2.0
// Gets an access token with openid-client 6, which authenticates with assertions
// from assertd.
//   node openid-client.js ISSUER CLIENT-ID GRANT
import { allowInsecureRequests, clientCredentialsGrant, discovery } from 'openid-client';

import { Client } from 'assertd';
import { assertdJwt } from 'assertd/openid-client';

const [issuer, clientId, grant] = process.argv.slice(2);
const client = new Client();
try {
  const server = new URL(issuer);
  const execute = server.protocol === 'http:' ? [allowInsecureRequests] : []; // a server on this machine
  const config = await discovery(server, clientId, undefined, assertdJwt(client, { grant }), { execute });
  const answer = await clientCredentialsGrant(config, { scope: 'read' });
  const lasts = answer.expires_in ? ` for ${answer.expires_in} s` : ''; // a server need not say
  console.log(`got a ${answer.token_type} token${lasts}`);
} catch (error) {
  console.error(`openid-client.js: ${reason(error)}`);
  process.exitCode = 1;
} finally {
  client.close();
}

// openid-client wraps the errors of its parts, and keeps what the server said.
function reason(error) {
  if (error.cause instanceof Error && !error.error) return reason(error.cause);
  const { error: code, error_description: description } = error.cause?.body ?? error;
  const said = [code, description].filter((text) => typeof text === 'string').join(': ');
  const status = error.cause?.status; // of a response that is no answer of OAuth's
  return said || (status ? `${error.message}: HTTP ${status}` : error.message);
}
