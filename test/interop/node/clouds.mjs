// Gets credentials with a cloud's library, and prints the access key or token.
//
//   clouds.mjs aws      with the variables that AWS's SDKs read
//   clouds.mjs google FILE      with a credential configuration

import { readFile } from 'node:fs/promises';

import { fromTokenFile } from '@aws-sdk/credential-provider-web-identity';
import { ExternalAccountClient } from 'google-auth-library';

const clouds = {
  aws: async () => (await fromTokenFile()()).accessKeyId,
  google: async (file) => (await ExternalAccountClient.fromJSON(JSON.parse(await readFile(file, 'utf8'))).getAccessToken()).token,
};

const [cloud, ...rest] = process.argv.slice(2);
try {
  console.log(await clouds[cloud](...rest));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
}
