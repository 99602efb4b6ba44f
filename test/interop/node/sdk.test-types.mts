// Compiles if the types of sdk/node are right. Nothing runs it.
import { Configuration } from 'openid-client';

import { Client, Problem, TokenSource, type Assertion } from 'assertd';
import { RemoteKey } from 'assertd/jws';
import { assertdJwt } from 'assertd/openid-client';

const client = new Client({ timeout: null });
const signed: Assertion = await client.assertion({ grant: 'bank', claims: { scope: 'read' } });
const results: (Assertion | Problem)[] = await client.batch([{}]);
const first = results[0];
const name: string = first instanceof Problem ? first.code : first.jti;
new Configuration({ issuer: 'https://as.example' }, 'bank', undefined, assertdJwt(client));
const token: string = (await new TokenSource(client, 'https://as.example', { clientAuth: { grant: 'bank' } }).token()).accessToken;
const jws: string = await (await RemoteKey.find(client, 'raw')).sign('{}');
// @ts-expect-error: there is no such hash
await client.sign({ key: 'raw', hash: 'MD5', digest: new Uint8Array() });
export { jws, name, signed, token };
