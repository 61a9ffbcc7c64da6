// Federation policies of service principals: whose tokens, of another issuer, are exchanged for access tokens. A token is
// verified as the service does it: by the issuer's published keys, or by those that the policy holds.
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
} from 'jose';
import { Agent, fetch } from 'undici';
import { z } from 'zod';

const text = z.string().min(1);

/**
 * As the account API takes it, under the application id of the service principal. What begins with `jwks_ca` and
 * `jwks_token` is the emulator's own: where the API server of a cluster lets nobody see its keys without these.
 */
export const federationPolicySchema = z.strictObject({
  service_principal: text,
  oidc_policy: z.strictObject({
    issuer: z.url(),
    /** The account id when absent. */
    audiences: z.array(text).min(1).optional(),
    subject: text,
    subject_claim: text.default('sub'),
    jwks_uri: z.url().optional(),
    /** A JWKS as JSON in a text. */
    jwks_json: text.refine(isKeySet, 'write a JWKS as JSON: {"keys":[...]}').optional(),
  }),
  /** PEM file of the authority of the address of the keys. */
  jwks_ca_file: text.optional(),
  /** File with a bearer token for it. */
  jwks_token_file: text.optional(),
});

export type FederationPolicy = z.infer<typeof federationPolicySchema>;

interface KeySet {
  readonly keys: Record<string, unknown>[];
}

const keySet = (json: string): KeySet => z.looseObject({ keys: z.array(z.looseObject({})) }).parse(JSON.parse(json));

function isKeySet(json: string): boolean {
  try {
    createLocalJWKSet(keySet(json) as never);
    return true;
  } catch {
    return false;
  }
}

/** Why a token is not exchanged. Names what differs, never the token. */
export class NotFederated extends Error {
  override readonly name = 'NotFederated';
}

interface Checks {
  /** Those of one service principal. */
  readonly policies: readonly FederationPolicy[];
  readonly accountId: string;
  readonly now: Date;
}

/** Remote keys by their policy; jose keeps them fresh and looks again when it meets an unknown one. */
const remoteKeys = new WeakMap<FederationPolicy, Promise<JWTVerifyGetKey>>();

/** The claims of a token that one of the policies accepts. Throws NotFederated. */
export async function verified(token: string, { policies, accountId, now }: Checks): Promise<JWTPayload> {
  const claims = claimsOf(token);
  const ofIssuer = policies.filter(({ oidc_policy: { issuer } }) => issuer === claims.iss);
  if (ofIssuer.length === 0) throw new NotFederated(`no federation policy has the issuer ${String(claims.iss)}`);
  const ofSubject = ofIssuer.filter(({ oidc_policy: policy }) => claims[policy.subject_claim] === policy.subject);
  if (ofSubject.length === 0)
    throw new NotFederated(`no federation policy of this issuer has the subject ${claims.sub}`);
  const audiences = [claims.aud ?? []].flat();
  const matching = ofSubject.find(({ oidc_policy: policy }) =>
    (policy.audiences ?? [accountId]).some((audience) => audiences.includes(audience)),
  );
  if (!matching)
    throw new NotFederated(`no federation policy of this issuer and subject has the audience ${audiences.join(', ')}`);
  await verifySignature(token, matching, now);
  return claims;
}

function claimsOf(token: string): JWTPayload {
  try {
    return decodeJwt(token);
  } catch {
    throw new NotFederated('subject_token is not a JSON Web Token');
  }
}

async function verifySignature(token: string, policy: FederationPolicy, now: Date): Promise<void> {
  try {
    const keys = await keysOf(policy);
    await jwtVerify(token, keys, { algorithms: ['RS256', 'ES256'], currentDate: now, requiredClaims: ['exp'] });
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new NotFederated('subject_token has expired');
    if (error instanceof errors.JOSEError) throw new NotFederated(`subject_token does not verify: ${error.code}`);
    throw new NotFederated(`the keys of issuer ${policy.oidc_policy.issuer} cannot be read`);
  }
}

function keysOf(policy: FederationPolicy): Promise<JWTVerifyGetKey> {
  const { jwks_json: inline } = policy.oidc_policy;
  if (inline !== undefined) return Promise.resolve(createLocalJWKSet(keySet(inline) as never));
  const known = remoteKeys.get(policy) ?? remoteKeysOf(policy);
  remoteKeys.set(policy, known);
  known.catch(() => remoteKeys.delete(policy));
  return known;
}

const keysTimeoutMs = 5_000;
/** The API server of a cluster is strict about it. */
const accept = 'application/jwk-set+json, application/json;q=0.9, */*;q=0.1';
const discovery = z.object({ jwks_uri: z.url() });

async function remoteKeysOf(policy: FederationPolicy): Promise<JWTVerifyGetKey> {
  const { jwks_ca_file: caFile, jwks_token_file: tokenFile } = policy;
  const { issuer, jwks_uri: given } = policy.oidc_policy;
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  const dispatcher = new Agent({ connect: { ...(ca === undefined ? {} : { ca }), timeout: keysTimeoutMs } });
  const get = async (url: string): ReturnType<typeof fetch> => {
    const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, 'utf8')).trim();
    const headers = { accept, ...(token ? { authorization: `Bearer ${token}` } : {}) };
    return fetch(url, { dispatcher, headers, signal: AbortSignal.timeout(keysTimeoutMs) });
  };
  const address =
    given ??
    discovery.parse(await (await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)).json()).jwks_uri;
  return createRemoteJWKSet(new URL(address), {
    [customFetch]: (url: string) => get(url) as unknown as Promise<Response>,
  });
}
