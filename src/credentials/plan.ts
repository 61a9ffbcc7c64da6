// When the credential in a Secret is renewed. Pure: the Secret itself is the memory of the rotation.
import { createHash } from 'node:crypto';
import type { IssueReason } from '../api/v1alpha1/issue-reasons.ts';
import type { IssuedSecret } from './secret.ts';

export interface CredentialView {
  readonly ownerUid: string;
  readonly secret: IssuedSecret;
  /** Hash of `spec.credentials.rotateToken` as it stands now. */
  readonly rotateTokenHash: string;
  /** Hash of everything but the token that the Secret should show. */
  readonly shapeHash: string;
}

export type MintReason = Extract<IssueReason, 'RotationRequested' | 'RenewalDue'>;

export type CredentialPlan =
  | { readonly do: 'mint'; readonly reason: MintReason }
  /** The token is good, what surrounds it changed: write it again with the same token. */
  | { readonly do: 'render' }
  | { readonly do: 'keep'; readonly renewTime: Date };

/**
 * The first reason wins. A Secret that is missing, tampered with or names something else never gets here: it needs a
 * new proof first.
 */
export function planCredential(
  { ownerUid, secret, rotateTokenHash, shapeHash }: CredentialView,
  now: Date,
): CredentialPlan {
  if (secret.rotateTokenHash !== rotateTokenHash) return { do: 'mint', reason: 'RotationRequested' };
  const due = renewTime(secret, ownerUid);
  if (now >= due) return { do: 'mint', reason: 'RenewalDue' };
  if (secret.shapeHash !== shapeHash) return { do: 'render' };
  return { do: 'keep', renewTime: due };
}

/**
 * Between 45 and 55 % of the granted life, the share taken from a hash of owner and issue time: spread over the fleet,
 * yet every pass over one token, before and after a restart, names the same instant. 55 % of an hour leaves 27 minutes:
 * an outage of 25 begun at the worst instant, and the kubelet's 90 s, still find a live token in the pod.
 */
export function renewTime(life: { readonly issueTime: Date; readonly expireTime: Date }, ownerUid: string): Date {
  const lifeMs = life.expireTime.getTime() - life.issueTime.getTime();
  const digest = createHash('sha256').update(`${ownerUid}/${life.issueTime.toISOString()}`).digest();
  const share = 0.45 + 0.1 * (digest.readUInt16BE(0) / 0xffff);
  return new Date(life.issueTime.getTime() + lifeMs * share);
}

/** Share of the granted life that is left, 0…1. */
export function lifeLeft(life: { readonly issueTime: Date; readonly expireTime: Date }, now: Date): number {
  const lifeMs = life.expireTime.getTime() - life.issueTime.getTime();
  if (lifeMs <= 0) return 0;
  return Math.min(1, Math.max(0, (life.expireTime.getTime() - now.getTime()) / lifeMs));
}

/** A credential with less than this share of its life left is worth worrying about. */
export const worryShare = 1 / 3;
