// SPDX-License-Identifier: Apache-2.0
import type { AssertionRequest, Client } from './index.js';

/**
 * Returns the client authentication of openid-client 6 (and oauth4webapi 3): private_key_jwt by an assertion from the daemon.
 *
 *     const config = await discovery(server, 'client-id', undefined, assertdJwt(client, { grant: 'bank-a' }));
 */
export function assertdJwt(
  client: Client,
  request?: AssertionRequest,
): (server: unknown, oauthClient: { client_id: string }, body: URLSearchParams, headers: Headers) => Promise<void>;
