// The two kinds of JWT the emulator hands out: access tokens of the workspace, and passwords for databases.
// Only the signature is judged here; whether a token is too old is asked where it is used, against the provider's clock.
import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { compactVerify, SignJWT } from 'jose';
import { z } from 'zod';
import type { Instant } from './state.ts';

export interface TokenClaims {
  /** `workspace` opens the management API and databases, `database` only databases. */
  readonly use: 'workspace' | 'database';
  /** E-mail or application id. */
  readonly identity: string;
  /** Of database tokens: the endpoint they were minted for. */
  readonly endpointUid?: string | undefined;
  readonly expiresAt: Instant;
}

const claimsOnTheWire = z.object({
  sub: z.string(),
  exp: z.number(),
  use: z.enum(['workspace', 'database']),
  endpoint: z.string().optional(),
});

const algorithm = 'ES256';

/** A fresh private key as a JWK, for the state. */
export const newSigningKey = (): Record<string, unknown> => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
});

export class Tokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #issuer: string;

  constructor(signingKey: Record<string, unknown>, workspaceId: string) {
    this.#privateKey = createPrivateKey({ key: signingKey as JsonWebKey, format: 'jwk' });
    this.#publicKey = createPublicKey(this.#privateKey);
    this.#issuer = `lakebranch-emulator/${workspaceId}`;
  }

  /** `id` makes two tokens of the same second differ. The life is rounded up to whole seconds, as JWTs want it. */
  sign(claims: TokenClaims, issuedAt: Instant, id: string): Promise<string> {
    const endpoint = claims.endpointUid === undefined ? {} : { endpoint: claims.endpointUid };
    return new SignJWT({ use: claims.use, ...endpoint })
      .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
      .setIssuer(this.#issuer)
      .setSubject(claims.identity)
      .setJti(id)
      .setIssuedAt(Math.floor(issuedAt / 1000))
      .setExpirationTime(Math.ceil(claims.expiresAt / 1000))
      .sign(this.#privateKey);
  }

  /** What a token of ours says; undefined for anything that we did not sign. */
  async read(token: string): Promise<TokenClaims | undefined> {
    try {
      const { payload } = await compactVerify(token, this.#publicKey, { algorithms: [algorithm] });
      const claims = claimsOnTheWire.parse(JSON.parse(new TextDecoder().decode(payload)));
      return { use: claims.use, identity: claims.sub, endpointUid: claims.endpoint, expiresAt: claims.exp * 1000 };
    } catch {
      return undefined;
    }
  }
}
