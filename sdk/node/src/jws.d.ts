// SPDX-License-Identifier: Apache-2.0
import type { KeyObject } from 'node:crypto';
import type { Client, KeyInfo } from './index.js';

/**
 * A raw key set that signs JWS. jose 6 signs only with keys that Web Crypto can use, so this one signs by itself, and returns
 * what the sign method of jose's CompactSign and SignJWT does; publicKey is for jose's jwtVerify.
 */
export class RemoteKey {
  constructor(client: Client, info: KeyInfo);
  /** Finds a raw key set by its name. */
  static find(client: Client, key: string): Promise<RemoteKey>;
  readonly kid: string;
  readonly alg: string;
  readonly publicKey: KeyObject;
  /** Returns a JWS in compact serialization (RFC 7515 section 7.1). The header gets alg and kid; crit and b64 are not supported. */
  sign(payload: string | Uint8Array, header?: Record<string, unknown> & { alg?: string }): Promise<string>;
}
