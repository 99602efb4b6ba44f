// SPDX-License-Identifier: Apache-2.0
// The token request for each way to send an assertion.

const EXCHANGE = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
};

const FORMS = {
  client_assertion: (signed) => ({
    grant_type: 'client_credentials', client_assertion_type: signed.assertionType, client_assertion: signed.assertion,
  }),
  assertion: (signed) => ({ grant_type: signed.assertionType, assertion: signed.assertion }),
  subject_token: (signed) => ({ ...EXCHANGE, subject_token_type: signed.assertionType, subject_token: signed.assertion }),
  client_secret: (signed) => ({ grant_type: 'client_credentials', client_secret: signed.assertion }),
  web_identity: (signed) => ({ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', WebIdentityToken: signed.assertion }),
  vault_login: (signed) => ({ jwt: signed.assertion }),
};

/** Returns the parameters for an assertion. */
export function formOf(signed) {
  const form = Object.hasOwn(FORMS, signed.send) && FORMS[signed.send];
  if (!form) throw new TypeError(`grant ${signed.grant} does not make assertions for token requests; get one and send it yourself`);
  return form(signed);
}

/** Returns the parameters for the assertion of a client, beside one that does not authenticate it. */
export function authenticationOf(signed, client) {
  if (!['assertion', 'subject_token'].includes(signed.send)) {
    throw new TypeError(`grant ${signed.grant} leaves no room for client authentication; leave clientAuth out`);
  }
  if (client.send !== 'client_assertion') {
    throw new TypeError(`grant ${client.grant} does not authenticate a client; name one in clientAuth that does`);
  }
  return { client_assertion_type: client.assertionType, client_assertion: client.assertion };
}

/** Returns headers and body. Vault and OpenBao take JSON, and want the header that a browser can't add. */
export function requestOf(send, { ...fields }) {
  if (send !== 'vault_login') return { headers: { Accept: 'application/json' }, body: new URLSearchParams(fields) };
  const headers = { 'Content-Type': 'application/json', 'X-Vault-Request': 'true' };
  if (fields.namespace !== undefined) headers['X-Vault-Namespace'] = fields.namespace;
  delete fields.namespace;
  return { headers, body: JSON.stringify(fields) };
}
