// Servers from npm that receive assertions, each on its own port:
//
//   plain  oidc-provider without extra requirements
//   fapi   oidc-provider in FAPI 2.0 mode, with DPoP, pushed authorization
//          requests, and signed request objects
//   jose   a resource that verifies posted JWTs with jose, its default
//          settings, and a remote JWKS
//
// A test exchanges lines of JSON with the process. The process prints the
// servers' addresses, reads their configuration,
//
//   {"jwks_uri": …, "plain": [client metadata, …], "fapi": [client metadata, …]}
//
// and prints {"serving": true}. It exits at the end of its standard input.

import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';

console.info = console.warn; // standard output is for the test

const SCOPES = ['read'];
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const FAPI_ALGORITHMS = ['PS256', 'ES256', 'Ed25519'];

// Settings of both providers. oidc-provider refuses to fetch from loopback
// addresses by default, but the tests use nothing else.
const common = {
  scopes: SCOPES,
  clientAuthMethods: ['private_key_jwt'],
  fetch: (url, options) => {
    delete options.dispatcher;
    return fetch(url, options);
  },
  cookies: { keys: ['of a test'] },
};

function plain(issuer, clients) {
  return new Provider(issuer, {
    ...common,
    clients,
    enabledJWA: { clientAuthSigningAlgValues: ALGORITHMS },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
    },
  }).callback();
}

function fapi(issuer, clients) {
  return new Provider(issuer, {
    ...common,
    clients,
    enabledJWA: {
      clientAuthSigningAlgValues: FAPI_ALGORITHMS,
      requestObjectSigningAlgValues: FAPI_ALGORITHMS,
      dPoPSigningAlgValues: FAPI_ALGORITHMS,
    },
    features: {
      devInteractions: { enabled: false },
      fapi: { enabled: true, profile: '2.0' },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
      pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: true },
      requestObjects: { enabled: true, requireSignedRequestObject: true },
    },
  }).callback();
}

function resource(jwksURI) {
  const keys = createRemoteJWKSet(new URL(jwksURI));
  return async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    try {
      const { payload } = await jwtVerify(Buffer.concat(chunks).toString(), keys);
      answer(200, payload);
    } catch (error) {
      answer(401, { error: error.code ?? error.name, error_description: error.message });
    }
  };
}

// The servers listen before their handlers exist, because a provider must know
// its own address.
const servers = { plain: createServer(), fapi: createServer(), jose: createServer() };
const addresses = {};
for (const [name, server] of Object.entries(servers)) {
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  addresses[name] = `http://127.0.0.1:${server.address().port}`;
}
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
say(addresses);

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const known = JSON.parse(line);
  servers.plain.on('request', plain(addresses.plain, known.plain ?? []));
  servers.fapi.on('request', fapi(addresses.fapi, known.fapi ?? []));
  servers.jose.on('request', resource(known.jwks_uri));
  say({ serving: true });
});
lines.once('close', () => process.exit());
