// Tests of what a usual token endpoint doesn't do.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { TokenError, TokenSource } from 'assertd';
import { SIGNED, connect, serve, serveTokens } from './servers.js';

const GRANTED = '{"access_token":"t","token_type":"bearer","expires_in":600}';

// Returns the answer of a daemon with an assertion that is sent in this way.
const signed = (send, assertion = 'a.b.c') => ({ status: 200, body: SIGNED.replace('custom', send).replace('a.b.c', assertion) });

// Returns a token source with an endpoint that gives these answers.
async function sourceOf(t, answers, { daemon, ...options } = {}) {
  const endpoint = await serveTokens(t, ...answers);
  const script = daemon ?? Array.from({ length: 9 }, (_, n) => signed('client_assertion', `a.b.${n}`));
  const source = new TokenSource(connect(t, await serve(t, ...script)), endpoint.url, options);
  return { source, endpoint };
}

test('the reason of a refusal, in whatever form', async (t) => {
  const check = 'check the URL of the token endpoint';
  for (const [status, body, error, description] of [
    [200, '{"error":"invalid_client","error_description":"no such key"}', 'invalid_client', 'no such key'],
    [400, '{"error":"invalid_client"}', 'invalid_client', ''],
    [403, '{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}', 'PERMISSION_DENIED', 'denied'],
    [401, '{"errorCode":"E0000011","errorSummary":"Invalid token","errorCauses":[{"errorSummary":"old"}]}', 'E0000011', 'Invalid token: old'],
    [400, '[{"errorCode":"INVALID_SESSION","message":"gone"}]', 'INVALID_SESSION', 'gone'],
    [400, '{"errors":["permission denied"]}', 'no access_token in the answer with HTTP 400', 'permission denied'],
    [400, '{"__type":"ExpiredToken","message":"old"}', 'ExpiredToken', 'old'],
    [403, '<ErrorResponse><Error><Code>Denied</Code><Message>no</Message></Error></ErrorResponse>', 'Denied', 'no'],
    [400, '{"error":"a.b.0 \\u001b[2J\\u202e"}', '[assertion]  [2J ', ''],
    [200, '[]', 'no access_token in the answer with HTTP 200', ''],
    [200, 'null', 'the answer is not JSON', `HTTP 200; ${check}`],
    [200, '"text"', 'no access_token in the answer with HTTP 200', 'text'],
    [200, '<html><title>Sign\n in</title>', 'the answer is a web page titled "Sign in"', `HTTP 200; ${check}`],
    [403, '<html><head><title>Forbidden</title></head></html>', 'the answer is a web page titled "Forbidden"', `HTTP 403; ${check}`],
    [200, '{"access_token":"a\\nb"}', 'the access token has characters that no token may have', 'RFC 6749, appendix A.12'],
  ]) {
    const { source } = await sourceOf(t, [{ status, body }]);
    const got = await source.token().catch((refused) => refused);
    assert.ok(got instanceof TokenError, body);
    assert.deepEqual([got.error, got.description, got.status], [error, description, status]);
  }
});

test('the reason of a refusal that is not JSON', async (t) => {
  const check = 'check the URL of the token endpoint';
  for (const [answer, message] of [
    [{ status: 400, type: 'text/plain', body: 'the audience is wrong\n' }, 'no access_token in the answer with HTTP 400: the audience is wrong'],
    [{ status: 400, type: 'application/x-www-form-urlencoded', body: 'error=invalid_client&error_description=bad+key' }, 'invalid_client: bad key'],
    [{ status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_client", error_description="unknown kid"' } }, 'invalid_client: unknown kid'],
    [{ type: 'text/plain', body: 'access_token=secret' }, `the answer is not JSON: HTTP 200; ${check}`],
    [{ status: 400, type: 'text/plain', body: '{"error":"cut o' }, `the answer is not JSON: HTTP 400; ${check}`],
    [{ type: 'text/html', body: '<!doctype html><h1>Sign in</h1>' }, `the answer is a web page titled "Sign in": HTTP 200; ${check}`],
  ]) {
    const { source } = await sourceOf(t, [answer]);
    await assert.rejects(source.token(), { name: 'TokenError', message });
  }
});

test('an answer that is too long is cut off', async (t) => {
  const { source } = await sourceOf(t, [{ body: `${' '.repeat(2 << 20)}${GRANTED}` }]);
  await assert.rejects(source.token(), /the answer is not JSON/);
});

test('http is for loopback', async (t) => {
  const client = connect(t, { path: '/nowhere' });
  for (const host of ['localhost', '127.0.0.1', '127.8.9.10', '[::1]']) new TokenSource(client, `http://${host}:8080/token`);
  for (const url of ['http://as.example', 'http://127.0.0.1.example', 'http://128.0.0.1', 'ftp://127.0.0.1']) {
    assert.throws(() => new TokenSource(client, url), /want https/);
  }
});

test('unusual tokens', async (t) => {
  for (const [status, body] of [
    [201, GRANTED],
    [200, `\ufeff${GRANTED}`],
    [200, GRANTED.replace('600', '"600"')],
    [200, GRANTED.replace('600', '600.5')],
    [200, GRANTED.replace('"bearer"', '"bearer","scope":["read"]')],
  ]) {
    const { source } = await sourceOf(t, [{ status, body }]);
    const { accessToken, expiresAt } = await source.token();
    assert.equal(accessToken, 't');
    assert.ok(Math.abs(expiresAt - Date.now() / 1000 - 600) < 60, body);
  }
});

test('a token without an end is not kept, a short one is', async (t) => {
  for (const lifetime of ['"soon"', 'null', '-1', '0', '1e400', '[]']) {
    const { source, endpoint } = await sourceOf(t, [{ body: GRANTED.replace('600', lifetime) }]);
    assert.equal((await source.token()).expiresAt, undefined);
    await source.token();
    assert.equal(endpoint.requests.length, 2, lifetime);
  }
  const { source } = await sourceOf(t, [{ body: GRANTED.replace('600', '50') }]);
  assert.equal(await source.token(), await source.token());
});

test('a failure is repeated once, with another assertion', async (t) => {
  for (const failure of [{ status: 503 }, { status: 502, body: '<h1>Bad Gateway' }, null]) {
    const { source, endpoint } = await sourceOf(t, [failure, { body: GRANTED }]);
    assert.equal((await source.token()).accessToken, 't');
    assert.deepEqual(endpoint.requests.map(({ form }) => form.client_assertion), ['a.b.0', 'a.b.1']);
  }
});

test('what is not repeated', async (t) => {
  for (const [failure, parameters] of [
    [{ status: 400, body: '{}' }],
    [{ status: 500, body: '{}' }],
    [{ status: 503, body: '{}', headers: { 'Retry-After': '60' } }],
    [{ status: 503, body: '{}' }, { grant_type: 'refresh_token' }],
  ]) {
    const { source, endpoint } = await sourceOf(t, [failure], { parameters });
    await assert.rejects(source.token(), TokenError);
    assert.equal(endpoint.requests.length, 1);
  }
});

test("the server's wait is kept", async (t) => {
  const { source, endpoint } = await sourceOf(t, [{ status: 503, body: '{}', headers: { 'Retry-After': '60' } }]);
  for (let i = 0; i < 3; i++) await assert.rejects(source.token(), (error) => error.retryAfter === 60);
  assert.equal(endpoint.requests.length, 1);
});

test('a redirect names its target', async (t) => {
  const { source } = await sourceOf(t, [{ status: 302, headers: { Location: 'https://other.example/x?secret=1' } }]);
  await assert.rejects(source.token(), { name: 'TokenError', message: 'the token endpoint redirects: to https://other.example/x; use that URL if you trust it' });
  const { source: other, endpoint } = await sourceOf(t, [{ status: 307, headers: { Location: 'http://[bad' } }]);
  await assert.rejects(other.token(), { message: 'the token endpoint redirects: to something that is not a URL', status: 307 });
  assert.equal(endpoint.requests.length, 1);
});

test('client authentication beside a grant', async (t) => {
  const clientAuth = { grant: 'bank' };
  const { source, endpoint } = await sourceOf(t, [{ body: GRANTED }], { daemon: [signed('assertion'), signed('client_assertion', 'd.e.f')], clientAuth });
  await source.token();
  assert.deepEqual([endpoint.requests[0].form.assertion, endpoint.requests[0].form.client_assertion], ['a.b.c', 'd.e.f']);
  for (const [send, reason] of [['client_assertion', /leaves no room/], ['assertion', /does not authenticate a client/]]) {
    const wrong = await sourceOf(t, [{ body: GRANTED }], { daemon: [signed(send), signed(send)], clientAuth });
    await assert.rejects(wrong.source.token(), reason);
  }
});

test('a login at Vault', async (t) => {
  const body = JSON.stringify({ auth: { client_token: 'hvs.1', lease_duration: 600 } });
  const { source, endpoint } = await sourceOf(t, [{ body }], { daemon: [signed('vault_login')], parameters: { role: 'reader', namespace: 'team' } });
  assert.equal((await source.token()).accessToken, 'hvs.1');
  const [{ headers, text }] = endpoint.requests;
  assert.deepEqual(JSON.parse(text), { jwt: 'a.b.c', role: 'reader' });
  assert.deepEqual([headers['x-vault-request'], headers['x-vault-namespace']], ['true', 'team']);
});

const FEDERATED = { status: 200, body: SIGNED.replace('custom', 'web_identity') };
const ASSUMED = '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>' +
  '<Credentials><AccessKeyId>AKIA</AccessKeyId><SessionToken>a&#43;b&amp;c</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials>' +
  '</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>';

test('an STS answers with credentials, in XML or JSON', async (t) => {
  const credentials = { AccessKeyId: 'AKIA', SessionToken: 'a+b&c' };
  const json = JSON.stringify({
    AssumeRoleWithWebIdentityResponse: { AssumeRoleWithWebIdentityResult: { Credentials: { ...credentials, Expiration: 4102444800 } } },
  });
  for (const answer of [{ type: 'text/xml', body: ASSUMED }, { body: json }]) {
    const endpoint = await serveTokens(t, answer);
    const client = connect(t, await serve(t, FEDERATED));
    const source = new TokenSource(client, endpoint.url, { parameters: { RoleArn: 'arn' } });
    const token = await source.token();
    const got = token.response.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials;
    assert.deepEqual([got.AccessKeyId, got.SessionToken, token.expiresAt, token.accessToken], ['AKIA', 'a+b&c', 4102444800, '']);
    assert.equal(await source.token(), token);
    assert.deepEqual(endpoint.requests.map(({ form }) => form), [{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', WebIdentityToken: 'a.b.c', RoleArn: 'arn' }]);
  }
});

test('the refusal of an STS has its code and message', async (t) => {
  const xml = '<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>a.b.c is old</Message></Error></ErrorResponse>';
  for (const [answer, error, description] of [
    [{ status: 400, type: 'text/xml', body: xml }, 'ExpiredTokenException', '[assertion] is old'],
    [{ status: 400, body: '{"Error":{"Code":"InvalidIdentityToken","Message":"no"}}' }, 'InvalidIdentityToken', 'no'],
    [{ body: '{}' }, 'no credentials in the answer with HTTP 200', ''],
    [{ type: 'text/html', body: '<p>hello' }, 'the answer is not JSON', 'HTTP 200; check the URL of the token endpoint'],
  ]) {
    const endpoint = await serveTokens(t, answer);
    const source = new TokenSource(connect(t, await serve(t, FEDERATED)), endpoint.url);
    await assert.rejects(source.token(), (got) => got instanceof TokenError && got.error === error && got.description === description);
  }
});
