// OAuth client credentials (M2M): an access token for a client id and a secret.
import { LakebaseError } from './errors.ts';
import { Token } from './token.ts';
import { tokenSource, type TokenQuestion, type TokenSource, type TokenSourceOptions } from './token-source.ts';

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: Token;
}

/** Asked before every fetch of a token, so that rotated credentials are picked up. Its errors must hold no secret. */
export type CredentialSource = () => Promise<ClientCredentials>;

export interface OAuthOptions extends TokenSourceOptions {
  readonly credentials: CredentialSource;
}

export function oauthTokenSource({ credentials, ...options }: OAuthOptions): TokenSource {
  return tokenSource(options, {
    question: async () => questionOf(await usable(credentials)),
    principal: async () => (await usable(credentials)).clientId,
  });
}

function questionOf({ clientId, clientSecret }: ClientCredentials): TokenQuestion {
  const pair = Buffer.from(`${clientId}:${clientSecret.reveal()}`).toString('base64');
  return {
    clientId,
    form: { grant_type: 'client_credentials', scope: 'all-apis' },
    authorization: new Token(`Basic ${pair}`),
    secrets: [clientSecret, new Token(pair)],
  };
}

async function usable(credentials: CredentialSource): Promise<ClientCredentials> {
  let read: ClientCredentials;
  try {
    read = await credentials();
  } catch (cause) {
    throw new LakebaseError('unavailable', "the client's own credential cannot be read", { cause });
  }
  if (read.clientId && read.clientSecret.reveal()) return read;
  throw new LakebaseError('unauthenticated', 'the client id or the client secret is empty');
}
