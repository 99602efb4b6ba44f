// SPDX-License-Identifier: Apache-2.0
import { createHash, createPublicKey } from 'node:crypto';

// What each algorithm (RFC 7518, RFC 8037) asks the daemon for.
const ALGORITHMS = {
  ES256: { hash: 'SHA-256', size: 32 },
  ES384: { hash: 'SHA-384', size: 48 },
  ES512: { hash: 'SHA-512', size: 66 },
  RS256: { hash: 'SHA-256', padding: 'pkcs1v15' },
  RS384: { hash: 'SHA-384', padding: 'pkcs1v15' },
  RS512: { hash: 'SHA-512', padding: 'pkcs1v15' },
  PS256: { hash: 'SHA-256', padding: 'pss' },
  PS384: { hash: 'SHA-384', padding: 'pss' },
  PS512: { hash: 'SHA-512', padding: 'pss' },
  EdDSA: { hash: 'none' },
  Ed25519: { hash: 'none' },
};

/** A raw key set that signs JWS. */
export class RemoteKey {
  #client;
  #info;

  constructor(client, info) {
    this.#client = client;
    this.#info = info;
    this.kid = info.kid;
    this.alg = info.alg;
  }

  /** Finds a raw key set by its name. */
  static async find(client, key) {
    const info = (await client.keys()).find((one) => one.key === key);
    if (!info) throw new TypeError(`there is no raw key set ${key} for this process; client.keys() lists those that it may use`);
    return new RemoteKey(client, info);
  }

  /** The public key, as a KeyObject, which jose takes. */
  get publicKey() {
    return createPublicKey(this.#info.public_key);
  }

  /** Returns a JWS in compact serialization (RFC 7515 section 7.1). */
  async sign(payload, header = {}) {
    const alg = header.alg ?? this.alg;
    const algorithm = ALGORITHMS[alg];
    if (!algorithm) throw new TypeError(`algorithm ${alg} is not supported; use one of ${Object.keys(ALGORITHMS).join(', ')}`);
    if (header.crit !== undefined || header.b64 !== undefined) throw new TypeError('the header parameters crit and b64 are not supported');
    const protectedHeader = JSON.stringify({ alg, kid: this.kid, ...header });
    const input = `${encode(protectedHeader)}.${encode(payload)}`;
    const { hash, padding, size } = algorithm;
    const digest = hash === 'none' ? Buffer.from(input) : createHash(hash.replace('-', '')).update(input).digest();
    const { signature, kid } = await this.#client.sign({ key: this.#info.key, hash, digest, padding });
    if (kid !== this.kid) throw new Error(`key set ${this.#info.key} now signs with ${kid}, not with ${this.kid}; find it again`);
    return `${input}.${encode(size ? concatenated(signature, size) : signature)}`;
  }
}

function encode(data) {
  return Buffer.from(data).toString('base64url');
}

// The two integers of an ECDSA signature in DER, each with so many bytes (RFC
// 7518 section 3.4).
function concatenated(der, size) {
  const out = Buffer.alloc(2 * size);
  let at = der[1] & 0x80 ? 3 : 2; // after the sequence's length, of at most 2 bytes
  for (const end of [size, 2 * size]) {
    const length = der[at + 1];
    const integer = der.subarray(at + 2, at + 2 + length);
    const digits = integer.subarray(integer[0] === 0 ? 1 : 0);
    out.set(digits, end - digits.length);
    at += 2 + length;
  }
  return out;
}
