// The login of a branch, out of its Secret: for psql, for a shell, and for the doctor.
import { annotationKey } from '../api/names.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { isForbidden, isNotFound, type KubeObject } from '../kit/kube.ts';
import { Token } from '../lakebase/token.ts';
import { conditionOf, nameOf, pausedOf, secretNameOf } from './branch.ts';
import { decodeData, getBranch, type Cluster, type SecretObject } from './cluster.ts';
import { CommandError, type Context } from './command.ts';
import { secretResource } from '../api/names.ts';
import { waitUntil, type Look } from './wait.ts';

export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly token: Token;
  readonly expireTime: Date;
  /** PEM of a private authority. */
  readonly ca: string | undefined;
}

/** Shorter than this is not worth a session that somebody has yet to type into. */
const shortestLifeMs = 60_000;

/**
 * The login of a DatabaseBranch, with a token that lives: where it has just died, or is about to, the next one is waited
 * for. Throws CommandError that says why there is none.
 */
export async function freshLogin(context: Context, cluster: Cluster, name: string): Promise<Login> {
  const later = `kubectl lakebranch -n ${cluster.namespace} why ${name}`;
  const waiting = { what: 'a token that lives', defaultTimeout: '2m', later };
  return waitUntil(context, waiting, async (): Promise<Look<Login>> => {
    const object = await getBranch(cluster, name);
    const login = loginFrom(object, await secretOf(cluster, object));
    return usable(object, login, context.terminal.clock.now());
  });
}

/** Whether the token lives for long enough. Throws CommandError where no other will come. */
export function usable(object: DatabaseBranch, login: Login, now: Date): Look<Login> {
  const leftMs = login.expireTime.getTime() - now.getTime();
  if (leftMs > shortestLifeMs) return { done: login };
  const { namespace, name } = object.metadata;
  if (pausedOf(object) === 'all') {
    if (leftMs > 0) return { done: login };
    throw new CommandError(
      `${nameOf(object)} is parked and its token has expired. First: kubectl lakebranch -n ${namespace} unpark ${name}`,
    );
  }
  const why = conditionOf(object, ConditionType.CredentialsFresh)?.message ?? '';
  return { state: `the token in the Secret ${leftMs > 0 ? 'dies within a minute' : 'has expired'}: ${why}` };
}

async function secretOf(cluster: Cluster, object: DatabaseBranch): Promise<SecretObject> {
  const key = { namespace: object.metadata.namespace, name: secretNameOf(object) };
  try {
    return await cluster.kube.get<SecretObject & KubeObject>(secretResource, key);
  } catch (error) {
    if (isForbidden(error))
      throw new CommandError(
        `you may not read Secret ${key.namespace}/${key.name}, which holds the login: it takes "get" on secrets in that namespace`,
      );
    if (isNotFound(error)) throw noLogin(object);
    throw error;
  }
}

function noLogin(object: DatabaseBranch): CommandError {
  const ready = conditionOf(object, ConditionType.Ready);
  const { namespace, name } = object.metadata;
  if (ready?.status === 'True')
    return new CommandError(
      `Secret ${namespace}/${secretNameOf(object)} is not there, although ${nameOf(object)} is ready: somebody deleted it. The operator makes it anew within about a minute`,
    );
  return new CommandError(
    `${nameOf(object)} has no login: ${ready?.reason ?? 'Pending'}, ${ready?.message ?? 'the operator has not looked at it'}. More: kubectl lakebranch -n ${namespace} why ${name}`,
  );
}

/** Throws CommandError for a Secret that is not this object's, or not whole. */
export function loginFrom(object: DatabaseBranch, secret: SecretObject): Login {
  const data = decodeData(secret);
  const owner = secret.metadata.annotations?.[annotationKey.owner];
  if (owner !== nameOf(object))
    throw new CommandError(
      `Secret ${nameOf(secret)} does not belong to ${nameOf(object)}${owner === undefined ? '' : ` but to ${owner}`}: its login is not used`,
    );
  const { host = '', port = '', database = '', username: user = '', password = '', certificates } = data;
  const expireTime = new Date(data['expires-at'] ?? '');
  if ([host, port, database, user, password].includes('') || Number.isNaN(expireTime.getTime()))
    throw new CommandError(
      `Secret ${nameOf(secret)} is not whole: somebody edited it. The operator puts it right within about a minute`,
    );
  return { host, port: Number(port), database, user, token: new Token(password), expireTime, ca: certificates };
}
