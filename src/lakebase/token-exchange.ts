// OAuth token exchange (RFC 8693): an access token for a token of the cluster, so that no secret is stored anywhere.
import { LakebaseError } from './errors.ts';
import type { Token } from './token.ts';
import { tokenSource, type TokenQuestion, type TokenSource, type TokenSourceOptions } from './token-source.ts';

/** A projected ServiceAccount token, and what it says of itself. */
export interface SubjectToken {
  readonly token: Token;
  /** Together the three that a federation policy has to name. */
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
}

/** Asked before every exchange. Throws LakebaseError with `subjectToken` in its details, never with the token. */
export type SubjectTokenSource = () => Promise<SubjectToken>;

export interface TokenExchangeOptions extends TokenSourceOptions {
  /** Application id of the service principal. */
  readonly clientId: string;
  readonly subjectToken: SubjectTokenSource;
}

export function exchangeTokenSource({ clientId, subjectToken, ...options }: TokenExchangeOptions): TokenSource {
  return tokenSource(options, {
    question: async () => questionOf(clientId, await subjectToken()),
    principal: () => Promise.resolve(clientId),
  });
}

const questionOf = (clientId: string, subject: SubjectToken): TokenQuestion => ({
  clientId,
  form: {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token: subject.token.reveal(),
    client_id: clientId,
    scope: 'all-apis',
  },
  secrets: [subject.token],
  explain: (refusal) => explained(refusal, clientId, subject),
});

/**
 * The words of the service for this are not documented, so they decide nothing: a token endpoint that answers the
 * exchange with a refusal does not accept the token. A 403 that comes from the API is about the caller's address.
 */
function explained(
  refusal: LakebaseError,
  clientId: string,
  { issuer, subject, audience }: SubjectToken,
): LakebaseError {
  const { code, message, details } = refusal;
  const isOfOAuth = /^[a-z_]+$/.test(details.providerCode ?? '');
  if (code !== 'invalid' && code !== 'unauthenticated' && !(code === 'denied' && isOfOAuth)) return refusal;
  const token = `issuer ${issuer}, subject ${subject} and audience ${audience}`;
  const words = `service principal ${clientId} is not given for a token with ${token}: ${message}`;
  return new LakebaseError('unauthenticated', words, { ...details, subjectToken: 'notAccepted' });
}
