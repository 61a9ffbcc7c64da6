// The doctor at each DatabaseBranch: is it ready, is its Secret the right one, does its login work?
import { annotationKey, secretResource } from '../api/names.ts';
import { ConditionType } from '../api/v1alpha1/conditions.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { isForbidden, isNotFound, type KubeObject } from '../kit/kube.ts';
import { pgLogin } from '../lakebase/login.ts';
import { conditionOf, endedReason, nameOf, pausedOf, secretNameOf } from './branch.ts';
import { listBranches, type Cluster, type SecretObject } from './cluster.ts';
import { CommandError } from './command.ts';
import { loginFrom, type Login } from './login.ts';
import type { Check } from './report-doctor.ts';
import type { Terminal } from './terminal.ts';
import { formatRelative } from './times.ts';

interface How {
  readonly login: boolean;
  readonly terminal: Terminal;
}

const part = 'Branches';

export async function examineBranches(cluster: Cluster, how: How): Promise<Check[]> {
  const where = cluster.scope === undefined ? 'the cluster' : `namespace ${cluster.scope}`;
  try {
    const objects = await listBranches(cluster, cluster.scope);
    if (objects.length === 0)
      return [{ part, name: 'DatabaseBranches', verdict: 'ok', message: `there is none in ${where}` }];
    const checks: Check[] = [];
    for (const object of objects) {
      how.terminal.signal.throwIfAborted();
      how.terminal.note(`  looking at ${nameOf(object)}`);
      checks.push(readyCheck(object), ...(await secretChecks(cluster, object, how)));
    }
    return checks;
  } catch (error) {
    if (!isForbidden(error)) throw error;
    return [{ part, name: 'DatabaseBranches', verdict: 'wrong', message: `you may not list them in ${where}` }];
  }
}

function readyCheck(object: DatabaseBranch): Check {
  const { namespace, name } = object.metadata;
  const ready = conditionOf(object, ConditionType.Ready);
  const base = { part, name: nameOf(object) };
  if (ready?.status === 'True')
    return pausedOf(object) === 'all'
      ? { ...base, verdict: 'warning', message: 'parked: its token is not renewed' }
      : { ...base, verdict: 'ok', message: 'ready' };
  const state = ready ? `${ready.reason}, ${ready.message}` : 'the operator has not looked at it';
  const waits = conditionOf(object, ConditionType.Reconciling)?.status === 'True' && ready?.status !== 'False';
  return {
    ...base,
    verdict: waits || endedReason(object) !== undefined ? 'warning' : 'wrong',
    message: `not ready: ${state}. More: kubectl lakebranch -n ${namespace} why ${name}`,
  };
}

async function secretChecks({ kube }: Cluster, object: DatabaseBranch, how: How): Promise<Check[]> {
  const key = { namespace: object.metadata.namespace, name: secretNameOf(object) };
  const base = { part, name: `Secret of ${nameOf(object)}` };
  try {
    const secret = await kube.get<SecretObject & KubeObject>(secretResource, key);
    const login = loginFrom(object, secret);
    const check = secretCheck(object, secret, login, how.terminal.clock.now());
    const checks: Check[] = [{ ...base, ...check }];
    if (how.login && check.verdict === 'ok') checks.push(await loginCheck(object, login, how.terminal.signal));
    return checks;
  } catch (error) {
    if (isForbidden(error))
      return [
        {
          ...base,
          verdict: 'unknown',
          message: `you may not read ${key.namespace}/${key.name}, so the login was not tried`,
        },
      ];
    // Then the object is not ready either, and says why.
    if (isNotFound(error)) return [];
    if (error instanceof CommandError) return [{ ...base, verdict: 'wrong', message: error.message }];
    throw error;
  }
}

function secretCheck(
  object: DatabaseBranch,
  { metadata }: SecretObject,
  { expireTime }: Login,
  now: Date,
): Pick<Check, 'verdict' | 'message'> {
  if (expireTime <= now)
    return {
      verdict: pausedOf(object) === 'all' ? 'warning' : 'wrong',
      message: `its token expired ${formatRelative(expireTime, now)}: open sessions live on, new logins fail`,
    };
  const opens = metadata.annotations?.[annotationKey.branchUid];
  const served = object.status?.branch?.uid;
  if (served !== undefined && opens !== served)
    return {
      verdict: 'warning',
      message: `it opens branch ${opens}, the status speaks of ${served}; this settles within a minute`,
    };
  return { verdict: 'ok', message: `its token lives for ${formatRelative(expireTime, now).slice(3)}` };
}

async function loginCheck(object: DatabaseBranch, login: Login, signal: AbortSignal): Promise<Check> {
  const base = { part, name: `login to ${nameOf(object)}` };
  const result = await pgLogin({ ...login, token: login.token }, signal);
  if (result.ok) return { ...base, verdict: 'ok', message: `works, as ${login.user}` };
  if (result.kind === 'noPath')
    return {
      ...base,
      verdict: 'warning',
      message: `${login.host}:${login.port} is not reached from this machine: ${result.message}`,
    };
  return { ...base, verdict: 'wrong', message: `refused: ${result.message}` };
}
