// Verifies one JWS with one JWK (RFC 9964), both from standard input, with
// npm's jose on Node's OpenSSL. It prints the kid that the JWK has by RFC 7638.
import { text } from 'node:stream/consumers';
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose';

const { jwk, jws, spoiled } = JSON.parse(await text(process.stdin));
const key = await importJWK(jwk);
await compactVerify(jws, key);
let refused = false;
try {
  await compactVerify(spoiled, key);
} catch {
  refused = true;
}
console.log(JSON.stringify({ kid: await calculateJwkThumbprint(jwk), refused }));
