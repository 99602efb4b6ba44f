// Tests of what a working daemon doesn't do: a server of the test's own fails,
// and counts what it got.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { Client, NotAssertd, Problem, TokenError, TokenSource, Unavailable, VersionMismatch } from 'assertd';

const SIGNED = JSON.stringify({ assertion: 'a.b.c', kid: 'k', alg: 'ES256', issued_at: 1, expires_at: 2, grant: 'g', send: 'custom' });

const ok = { status: 200, body: SIGNED };
const close = { close: true };
const problem = (status, code, members = {}) => ({
  status, type: 'application/problem+json', body: JSON.stringify({ type: 'urn:x', title: 'T', status, code, ...members }),
});

// Starts a server that answers each request with the next of its script.
async function serve(t, ...script) {
  const directory = mkdtempSync(join(tmpdir(), 'assertd-'));
  const server = { path: join(directory, 's'), got: [], connections: new Set(), count: 0 };
  const listener = http.createServer((request, response) => {
    request.resume().on('end', () => {
      server.got.push(`${request.method} ${request.url}`);
      const answer = script.shift();
      if (answer.close) return request.socket.destroy();
      if (answer.raw !== undefined) return request.socket.write(answer.raw);
      response.writeHead(answer.status, { 'Content-Type': answer.type ?? 'application/json' }).end(answer.body);
    });
  });
  listener.on('connection', (socket) => {
    server.count++;
    server.connections.add(socket);
    socket.on('close', () => server.connections.delete(socket));
  });
  await new Promise((resolve) => listener.listen(server.path, resolve));
  server.drop = () => server.connections.forEach((socket) => socket.destroy());
  t.after(() => {
    server.drop();
    listener.close();
    rmSync(directory, { recursive: true });
  });
  return server;
}

function connect(t, server, options = {}) {
  const client = new Client({ socketPath: server.path, ...options });
  t.after(() => client.close());
  return client;
}

test('a 503 is retried once', async (t) => {
  const busy = problem(503, 'overloaded', { retry_after_seconds: 0.05 });
  let server = await serve(t, busy, ok);
  assert.equal((await connect(t, server).assertion()).assertion, 'a.b.c');
  server = await serve(t, busy, busy);
  await assert.rejects(connect(t, server).assertion(), { code: 'overloaded', name: 'Problem' });
  assert.equal(server.got.length, 2);
});

test('a long wait is the caller\'s', async (t) => {
  const server = await serve(t, problem(503, 'hsm-unavailable', { retry_after_seconds: 30 }));
  await assert.rejects(connect(t, server).assertion(), { retryAfter: 30 });
  assert.equal(server.got.length, 1);
});

test('refusals are not retried', async (t) => {
  for (const [status, code] of [[403, 'audience-not-allowed'], [403, 'frozen'], [429, 'rate-limited'], [500, 'internal']]) {
    const server = await serve(t, problem(status, code, { retry_after_seconds: 0.01 }));
    await assert.rejects(connect(t, server).assertion(), Problem);
    assert.equal(server.got.length, 1, code);
  }
});

test('a POST is not sent again on a broken connection', async (t) => {
  const server = await serve(t, close, ok);
  await assert.rejects(connect(t, server).assertion(), Unavailable);
  assert.equal(server.got.length, 1);
});

test('a GET is sent again on a broken connection', async (t) => {
  const server = await serve(t, close, { status: 200, body: '{"status": "ok", "version": "1"}' });
  assert.equal(await connect(t, server).version(), '1');
});

test('a restart between calls loses nothing', async (t) => {
  const server = await serve(t, ok, ok);
  const client = connect(t, server);
  await client.assertion();
  server.drop();
  await client.assertion();
  assert.deepEqual([server.got.length, server.count], [2, 2]);
});

test('connections are reused', async (t) => {
  const server = await serve(t, ok, ok);
  const client = connect(t, server);
  await client.assertion();
  await client.assertion();
  assert.deepEqual([server.got.length, server.count], [2, 1]);
});

test('a call ends at its timeout, and with its signal', async (t) => {
  const endless = { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort' };
  const server = await serve(t, endless, endless);
  await assert.rejects(connect(t, server, { timeout: 200 }).assertion(), { name: 'TimeoutError' });
  await assert.rejects(connect(t, server).assertion({}, { signal: AbortSignal.timeout(200) }), { name: 'TimeoutError' });
});

test('other programs are named', async (t) => {
  for (const answer of [{ status: 200, type: 'text/html', body: '<html>' }, { status: 404, type: 'text/plain', body: 'nothing' }]) {
    await assert.rejects(connect(t, await serve(t, answer)).assertion(), (error) => error instanceof NotAssertd && /another program/.test(error.message));
  }
  await assert.rejects(connect(t, await serve(t, { status: 200, body: 'x'.repeat(5 << 20) })).assertion(), /more than/);
});

test('another version is named', async (t) => {
  const server = await serve(t, problem(404, 'not-found'), { status: 200, body: '{"status": "ok", "version": "0.1"}' });
  await assert.rejects(connect(t, server).assertion(), (error) => error instanceof VersionMismatch && /assertd 0.1 has no POST/.test(error.message));
});

test('no daemon', async () => {
  await assert.rejects(new Client({ socketPath: '/nonexistent/s' }).assertion(), /ENOENT.*; is the daemon running/);
  for (const socketPath of ['@abstract', `/${'x'.repeat(107)}`]) assert.throws(() => new Client({ socketPath }), TypeError);
});

test('a socket without a listener', async (t) => {
  const server = await serve(t);
  const listener = net.createServer();
  await new Promise((resolve) => listener.listen(`${server.path}2`, resolve));
  const client = new Client({ socketPath: `${server.path}2` });
  await new Promise((resolve) => listener.close(resolve));
  await assert.rejects(client.assertion(), Unavailable);
});

// Starts a token endpoint with one answer. Its forms are what it got.
async function serveTokens(t, { status = 200, type = 'application/json', body }) {
  const forms = [];
  const listener = http.createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    forms.push(Object.fromEntries(new URLSearchParams(text)));
    response.writeHead(status, { 'Content-Type': type }).end(body);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => listener.close());
  return { url: `http://127.0.0.1:${listener.address().port}`, forms };
}

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
    assert.deepEqual(endpoint.forms, [{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', WebIdentityToken: 'a.b.c', RoleArn: 'arn' }]);
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
