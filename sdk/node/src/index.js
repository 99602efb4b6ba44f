export { Client, DEFAULT_SOCKET } from './client.js';
export { AssertdError, NotAssertd, Problem, Unavailable, VersionMismatch } from './errors.js';
export { TokenSource } from './token.js';
export { TokenError } from './tokenresponse.js';
