// Who may call: service principals with a client secret, users with a personal access token.
import { createHash, timingSafeEqual } from 'node:crypto';

export interface Principal {
  /** E-mail of a user, application id of a service principal: also the name of its Postgres role. */
  readonly name: string;
  readonly kind: 'USER' | 'SERVICE_PRINCIPAL';
  /** Client secret, or personal access token. */
  readonly secret: string;
}

export const findServicePrincipal = (
  principals: readonly Principal[],
  clientId: string,
  secret: string,
): Principal | undefined =>
  principals.find(
    (each) => each.kind === 'SERVICE_PRINCIPAL' && each.name === clientId && sameText(each.secret, secret),
  );

export const findByAccessToken = (principals: readonly Principal[], token: string): Principal | undefined =>
  principals.find((each) => each.kind === 'USER' && sameText(each.secret, token));

export const findByName = (principals: readonly Principal[], name: string): Principal | undefined =>
  principals.find((each) => each.name === name);

/** Id of the role that every branch has for the owner of the project. */
export function ownerRoleId(owner: Pick<Principal, 'name' | 'kind'>): string {
  if (owner.kind === 'SERVICE_PRINCIPAL') return `sp-${owner.name}`;
  const local = owner.name.split('@')[0] ?? owner.name;
  const id = local
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return /^[a-z]/.test(id) ? id : `u-${id}`;
}

/** In constant time, so that a secret cannot be guessed letter by letter. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
