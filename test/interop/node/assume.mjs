// Assumes a role with sdk/node, and prints the access key's ID.
//
//   assume.mjs STS-URL ROLE

import { Client, TokenSource } from 'assertd';

const [url, RoleArn] = process.argv.slice(2);
const client = new Client();
const source = new TokenSource(client, url, { assertion: { grant: 'aws' }, parameters: { RoleArn, RoleSessionName: 'api' } });
const { response } = await source.token();
console.log(response.AssumeRoleWithWebIdentityResponse.AssumeRoleWithWebIdentityResult.Credentials.AccessKeyId);
client.close();
