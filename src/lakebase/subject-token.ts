// The projected ServiceAccount token that the kubelet keeps fresh in a file. Nothing is sent anywhere that was not meant
// for the workspace: a token that the API server itself would accept never leaves the pod.
import { readFile } from 'node:fs/promises';
import { decodeJwt } from 'jose/jwt/decode';
import * as z from 'zod';
import type { Clock } from '../kit/clock.ts';
import { LakebaseError, type SubjectTokenTrouble } from './errors.ts';
import { Token } from './token.ts';
import type { SubjectToken, SubjectTokenSource } from './token-exchange.ts';

export interface ProjectedToken {
  readonly file: string;
  /** The only one that the token may name. */
  readonly audience: string;
  readonly clock: Clock;
  /** What the API server itself accepts, as far as known. */
  readonly apiServerAudiences: () => Promise<readonly string[]>;
}

/** Reads the file anew each time, so that the rotated one is picked up. */
export const projectedToken =
  (projected: ProjectedToken): SubjectTokenSource =>
  async () => {
    const { audience, file } = projected;
    if ((await projected.apiServerAudiences()).includes(audience))
      throw unusable(
        'unusable',
        `audience ${audience} is that of the API server: with such a token the workspace could act in this cluster as the operator. Choose another audience`,
      );
    return judged(await contentOf(file), projected);
  };

async function contentOf(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw unusable('notFound', `the projected ServiceAccount token ${file} cannot be read (${code || 'unreadable'})`);
  }
}

function judged(text: string, { file, audience, clock }: ProjectedToken): SubjectToken {
  const { iss, sub, aud, exp } = claimsOf(text, file);
  const audiences = [aud].flat();
  if (audiences.length !== 1 || audiences[0] !== audience)
    throw unusable(
      'unusable',
      `the token in ${file} is for audience ${audiences.join(', ') || '(none)'}, not for ${audience} alone: correct the projected volume`,
    );
  const expiresAt = new Date(exp * 1000);
  if (expiresAt <= clock.now())
    throw unusable(
      'expired',
      `the token in ${file} has expired at ${expiresAt.toISOString()}: the kubelet should have renewed it`,
    );
  return { token: new Token(text), issuer: iss, subject: sub, audience };
}

const claims = z.object({
  iss: z.string(),
  sub: z.string(),
  aud: z.union([z.string(), z.array(z.string())]),
  exp: z.number(),
});

function claimsOf(text: string, file: string): z.infer<typeof claims> {
  try {
    return claims.parse(decodeJwt(text));
  } catch {
    // The error of the parser might quote what it was given.
    throw unusable('unusable', `${file} holds no ServiceAccount token: correct the projected volume`);
  }
}

const unusable = (trouble: SubjectTokenTrouble, message: string): LakebaseError =>
  new LakebaseError('unauthenticated', message, { subjectToken: trouble });

/** Of a bearer token of a ServiceAccount, read from an Authorization header; none for anything else. */
export function audiencesOf(authorization: string | undefined): readonly string[] {
  const bearer = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (bearer === undefined) return [];
  try {
    return [decodeJwt(bearer).aud ?? []].flat();
  } catch {
    return [];
  }
}
