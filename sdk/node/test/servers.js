// Servers of the tests: a daemon and a token endpoint that do what real ones rarely do.
import http from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'assertd';

export const SIGNED = JSON.stringify({ assertion: 'a.b.c', kid: 'k', alg: 'ES256', issued_at: 1, expires_at: 2, grant: 'g', send: 'custom' });

// Starts a server that answers each request with the next of its script.
export async function serve(t, ...script) {
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

export function connect(t, server, options = {}) {
  const client = new Client({ socketPath: server.path, ...options });
  t.after(() => client.close());
  return client;
}

// Starts a token endpoint that gives these answers, the last of them again and
// again. An answer of null breaks the connection. Its requests are what it got.
export async function serveTokens(t, ...answers) {
  const requests = [];
  const listener = http.createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    requests.push({ headers: request.headers, text, form: Object.fromEntries(new URLSearchParams(text)) });
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer === null) return request.socket.destroy();
    const { status = 200, type = 'application/json', headers = {}, body } = answer;
    response.writeHead(status, { 'Content-Type': type, ...headers }).end(body);
  });
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    listener.close();
    listener.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${listener.address().port}`, requests };
}
