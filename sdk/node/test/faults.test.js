// Tests of what a working daemon doesn't do: a server of the test's own fails,
// and counts what it got.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';

import { Client, NotAssertd, Problem, Unavailable, VersionMismatch } from 'assertd';
import { SIGNED, connect, serve } from './servers.js';

const ok = { status: 200, body: SIGNED };
const close = { close: true };
const problem = (status, code, members = {}) => ({
  status, type: 'application/problem+json', body: JSON.stringify({ type: 'urn:x', title: 'T', status, code, ...members }),
});

test('a 503 is retried once', async (t) => {
  for (const code of ['overloaded', 'budget-unavailable']) {
    const busy = problem(503, code, { retry_after_seconds: 0.05 });
    let server = await serve(t, busy, ok);
    assert.equal((await connect(t, server).assertion()).assertion, 'a.b.c');
    server = await serve(t, busy, busy);
    await assert.rejects(connect(t, server).assertion(), { code, name: 'Problem' });
    assert.equal(server.got.length, 2);
  }
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
  for (const body of ['null', '7', '{}', '[]']) {
    await assert.rejects(connect(t, await serve(t, { status: 200, body })).assertion(), NotAssertd);
  }
  for (const answer of [{ status: 200, type: 'text/html', body: '<html>' }, { status: 404, type: 'text/plain', body: 'nothing' }]) {
    await assert.rejects(connect(t, await serve(t, answer)).assertion(), (error) => error instanceof NotAssertd && /another program/.test(error.message));
  }
  await assert.rejects(connect(t, await serve(t, { status: 200, body: 'x'.repeat(5 << 20) })).assertion(), /more than/);
});

test('another version is named', async (t) => {
  const server = await serve(t, problem(404, 'not-found'), { status: 200, body: '{"status": "ok", "version": "0.1"}' });
  await assert.rejects(connect(t, server).assertion(), (error) => error instanceof VersionMismatch && /assertd 0.1 has no POST/.test(error.message));
});

test("the operator's socket is named", async (t) => {
  const server = await serve(t, problem(404, 'not-found'), problem(404, 'not-found'));
  await assert.rejects(connect(t, server).assertion(), (error) => error instanceof VersionMismatch && /perhaps the operator's/.test(error.message));
});

test('a socket can be a URL', async (t) => {
  const server = await serve(t, ok);
  assert.equal((await connect(t, { path: `unix://${server.path}` }).assertion()).assertion, 'a.b.c');
  for (const socketPath of ['unix://s', 'https://localhost', '@s']) assert.throws(() => new Client({ socketPath }), /want a path/);
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
