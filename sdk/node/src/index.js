// SPDX-License-Identifier: Apache-2.0
export { Client, DEFAULT_SOCKET } from './client.js';
export { AssertdError, NotAssertd, Problem, Unavailable, VersionMismatch } from './errors.js';
export { TokenSource } from './token.js';
export { TokenError } from './tokenresponse.js';
