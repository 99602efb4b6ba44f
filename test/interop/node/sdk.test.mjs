// Tests of sdk/node against a daemon: the Go test starts it and says where it is.
//
//   ASSERTD_SOCKET  its socket
//   TOKEN_URL       the token endpoint of an authorization server
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';

import { createLocalJWKSet, jwtVerify } from 'jose';
import { Configuration, allowInsecureRequests, clientCredentialsGrant } from 'openid-client';

import { Client, TokenError, TokenSource } from 'assertd';
import { RemoteKey } from 'assertd/jws';
import { assertdJwt } from 'assertd/openid-client';

const url = process.env.TOKEN_URL;

function connect(t) {
  const client = new Client();
  t.after(() => client.close());
  return client;
}

test('assertions verify with jose', async (t) => {
  const client = connect(t);
  const signed = await client.assertion({ grant: 'bank', claims: { scope: 'read' }, lifetime: 30 });
  const { payload } = await jwtVerify(signed.assertion, createLocalJWKSet(await client.jwks()), { audience: url });
  assert.deepEqual([payload.iss, payload.scope], ['bank', 'read']);
  assert.ok(Math.abs(Date.now() / 1000 + 30 - payload.exp) < 20);
  assert.deepEqual([payload.jti, payload.exp], [signed.jti, signed.expiresAt]);
});

test('refusals have their code', async (t) => {
  const client = connect(t);
  await assert.rejects(client.assertion({ grant: 'bank', audience: 'https://evil.example' }), { code: 'audience-not-allowed', status: 403 });
  await client.assertion({ grant: 'one-a-minute' });
  await assert.rejects(client.assertion({ grant: 'one-a-minute' }), (error) => error.code === 'rate-limited' && error.retryAfter > 1);
});

test('a batch has a result for each request', async (t) => {
  const client = connect(t);
  const [good, bad] = await client.batch([{ grant: 'bank' }, { grant: 'none' }]);
  assert.equal(good.grant, 'bank');
  assert.equal(bad.code, 'grant-not-found');
  const many = await client.batch(Array(64).fill({ grant: 'bank' }));
  assert.equal(new Set(many.map((signed) => signed.jti)).size, 64);
});

test('raw signatures', async (t) => {
  const client = connect(t);
  const [key] = await client.keys();
  const digest = createHash('SHA256').update('message').digest();
  const { signature, kid } = await client.sign({ key: key.key, hash: 'SHA-256', digest });
  assert.equal(kid, key.kid);
  assert.ok(verify('SHA256', Buffer.from('message'), createPublicKey(key.public_key), signature));
});

test('a remote key signs JWTs that jose verifies', async (t) => {
  const key = await RemoteKey.find(connect(t), 'raw');
  for (let i = 0; i < 50; i++) { // with integers of all lengths
    const jwt = await key.sign(JSON.stringify({ iss: 'me', i }), { typ: 'JWT' });
    const { payload, protectedHeader } = await jwtVerify(jwt, key.publicKey, { issuer: 'me' });
    assert.deepEqual([payload.i, protectedHeader.kid], [i, key.kid]);
  }
  await assert.rejects(key.sign('{}', { b64: false, crit: ['b64'] }), /not supported/);
  await assert.rejects(RemoteKey.find(connect(t), 'none'), /no raw key set none/);
});

test('state', async (t) => {
  const client = connect(t);
  assert.equal((await client.grants()).caller.pid, process.pid);
  assert.equal((await client.ready()).ready, true);
  assert.ok(await client.version());
});

test('many calls at a time', async (t) => {
  const client = connect(t);
  const signed = await Promise.all(Array.from({ length: 100 }, () => client.assertion({ grant: 'bank' })));
  assert.equal(new Set(signed.map((one) => one.jti)).size, 100);
});

test('openid-client authenticates with assertions', async (t) => {
  const server = { issuer: new URL(url).origin, token_endpoint: url };
  const config = new Configuration(server, 'bank', undefined, assertdJwt(connect(t), { grant: 'bank' }));
  allowInsecureRequests(config);
  for (let i = 0; i < 2; i++) assert.ok((await clientCredentialsGrant(config, { scope: 'read' })).access_token);
});

test('access tokens', async (t) => {
  const client = connect(t);
  const tokens = new TokenSource(client, url, { assertion: { grant: 'bank' }, parameters: { scope: 'read' } });
  const [first, same] = await Promise.all([tokens.token(), tokens.token()]);
  assert.equal(first, same);
  tokens.forget(first);
  assert.notEqual((await tokens.token()).accessToken, first.accessToken);
  assert.ok((await new TokenSource(client, url, { assertion: { grant: 'jwt-bearer' }, parameters: { scope: 'read' } }).token()).accessToken);
  const refused = new TokenSource(client, url, { assertion: { grant: 'bank' }, parameters: { scope: 'nothing' } });
  await assert.rejects(refused.token(), (error) => error instanceof TokenError && error.error === 'invalid_scope' && error.status === 400);
  assert.throws(() => new TokenSource(client, 'http://as.example/token'), /want https/);
});
