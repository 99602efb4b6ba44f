// SPDX-License-Identifier: Apache-2.0
/** Returns the client authentication of openid-client 6 (and oauth4webapi 3): private_key_jwt by an assertion from the daemon. */
export function assertdJwt(client, request) {
  return async (_server, oauthClient, body) => {
    const signed = await client.assertion(request);
    body.set('client_id', oauthClient.client_id);
    body.set('client_assertion_type', signed.assertionType);
    body.set('client_assertion', signed.assertion);
  };
}
