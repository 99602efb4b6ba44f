// SPDX-License-Identifier: Apache-2.0
import http from 'node:http';

import { NotAssertd, Unavailable } from './errors.js';

// The most bytes to read of a response. The largest batch fits several times.
const MAX_RESPONSE = 4 << 20;

/** The cause of a failed exchange. `sent` says whether the daemon may have the request. */
export class Lost extends Error {
  constructor(cause, sent) {
    super(cause.message, { cause });
    this.sent = sent;
  }

  /** Whether a daemon that restarts would cause this. */
  get restarting() {
    return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT'].includes(this.cause.code);
  }

  /** The error for the caller, with its remedy. */
  explained(socketPath) {
    const remedy = REMEDIES[this.cause.code] ?? '';
    return new Unavailable(`cannot reach assertd at ${socketPath}: ${this.cause.message}${remedy}`, { cause: this.cause });
  }
}

const REMEDIES = {
  ENOENT: '; is the daemon running, and is this its socket?',
  EACCES: '; ask to join the group that owns the socket',
  ECONNREFUSED: '; start the daemon, and check that this is its socket',
};

/** Connections to one daemon. */
export class Connections {
  #socketPath;
  // The daemon closes idle connections after two minutes by default.
  #agent = new http.Agent({ keepAlive: true, maxFreeSockets: 64, timeout: 60_000 });

  constructor(socketPath) {
    this.#socketPath = socketPath;
  }

  close() {
    this.#agent.destroy();
  }

  /** Sends a request and reads the response, whatever its status. */
  async exchange(method, path, body, signal) {
    // Lets the event loop see that the daemon has closed idle connections. The
    // first turn ends the present one; the second one comes after a poll.
    await turn();
    await turn();
    signal.throwIfAborted();
    return new Promise((resolve, reject) => this.#send(method, path, body, signal, resolve, reject));
  }

  #send(method, path, body, signal, resolve, reject) {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const request = http.request({ agent: this.#agent, socketPath: this.#socketPath, method, path, headers, signal });
    let sent = false;
    request.on('socket', (socket) => {
      if (socket.connecting) socket.once('connect', () => (sent = true));
      else sent = true;
    });
    request.on('error', (error) => reject(signal.aborted ? signal.reason : new Lost(error, sent)));
    request.on('response', (response) => {
      this.#read(response).then(resolve, (error) => {
        request.destroy();
        reject(signal.aborted ? signal.reason : error instanceof NotAssertd ? error : new Lost(error, true));
      });
    });
    request.end(body);
  }

  async #read(response) {
    const parts = [];
    let size = 0;
    for await (const part of response) {
      size += part.length;
      if (size > MAX_RESPONSE) {
        throw new NotAssertd(`${this.#socketPath} returned more than ${MAX_RESPONSE} bytes; is another program listening there?`);
      }
      parts.push(part);
    }
    const mediaType = (response.headers['content-type'] ?? 'no media type').split(';')[0];
    return { status: response.statusCode, mediaType, text: Buffer.concat(parts).toString('utf8') };
  }
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
