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
  console.log(`got a ${answer.token_type} token for ${answer.expires_in} s`);
} catch (error) {
  console.error(`openid-client.js: ${reason(error)}`);
  process.exitCode = 1;
} finally {
  client.close();
}

// openid-client wraps the errors of its parts.
function reason(error) {
  return error.error_description ?? (error.cause instanceof Error ? reason(error.cause) : error.message);
}
