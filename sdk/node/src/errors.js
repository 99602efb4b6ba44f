// SPDX-License-Identifier: Apache-2.0
/** Any failure to get something from assertd. */
export class AssertdError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No daemon answers on the socket, or the connection broke. */
export class Unavailable extends AssertdError {}

/** What answers on the socket does not speak this API. */
export class NotAssertd extends AssertdError {}

/** The daemon is too old, or too new, for the call. */
export class VersionMismatch extends AssertdError {}

/** A refusal or failure of the daemon: a problem document (RFC 9457). */
export class Problem extends AssertdError {
  constructor(document, status) {
    const title = document.title ?? document.code;
    super(document.detail ? `${title}: ${document.detail}` : title);
    this.code = document.code;
    this.status = status;
    this.title = title;
    this.detail = document.detail ?? '';
    this.requestId = document.request_id ?? '';
    this.retryAfter = document.retry_after_seconds ?? 0;
  }
}
