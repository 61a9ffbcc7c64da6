// Steps that mint a token, try it, and write the Secret.
import { databaseBranchResource, secretResource } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import {
  readSecret,
  renderSecret,
  rotateTokenHash,
  secretPatch,
  type IssuedCredential,
  type IssuedSecret,
  type Secret,
  type SecretOwner,
} from '../../credentials/secret.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound, KubeError } from '../../kit/kube.ts';
import type { Credential } from '../../lakebase/client.ts';
import { hasCode } from '../../lakebase/errors.ts';
import type { LoginResult } from '../../lakebase/login.ts';
import type { Memory, RememberedBranch } from './memory.ts';
import { done, namespaceTerminating, stale, type Outcome } from './outcome.ts';
import { stall, writeRefused, type Plan, type SecretIdentity } from './plan.ts';
import { rememberedOf, remembering, type Reach } from './reach.ts';

async function mint(reach: Reach, id: string, endpoint: string): Promise<Credential> {
  const { provider, wish, signal } = reach;
  const ref = { project: wish.project, branch: id, endpoint };
  try {
    return await remembering(reach, id, 'mint', () => provider.login.mintCredential(ref, wish.tokenTTLSeconds, signal));
  } catch (error) {
    rememberedOf(reach, id).mintSaidGone = hasCode(error, 'notFound');
    throw error;
  }
}

/** Every branch's read-write endpoint, made with the branch. */
const primary = 'primary';

export async function tryLogin(
  reach: Reach,
  { of, endpoint, username }: Extract<Plan, { do: 'login' }>,
): Promise<Outcome> {
  const { wish, provider, memory, signal } = reach;
  const remembered = rememberedOf(reach, of.id);
  const branchUid = of.uid ?? '';
  if (remembered.held?.branchUid !== branchUid) {
    remembered.held = { branchUid, credential: await mint(reach, of.id, endpoint.id), loggedIn: false };
  }
  const { credential } = remembered.held;
  const result = await reach.login(
    {
      host: endpoint.host ?? '',
      port: wish.shape.port,
      database: wish.shape.database,
      user: username,
      token: credential.token,
      ca: provider.ca,
    },
    signal,
  );
  // A login that we broke off says nothing about the branch.
  signal.throwIfAborted();
  if (result.ok) {
    remembered.held = { branchUid, credential, loggedIn: true };
    delete remembered.login;
    return done;
  }
  noteRefusal(remembered, result, memory.now());
  return done;
}

function noteRefusal(remembered: RememberedBranch, { kind, message }: Refusal, now: number): void {
  const { attempts: before = 0, firstAt = now } = remembered.login ?? {};
  const attempts = before + 1;
  remembered.login = { attempts, firstAt, nextAt: now + loginPauseMs(attempts, now - firstAt), message, kind };
  // Somebody may have dropped the role since it was seen.
  if (kind === 'roleMissing' || (kind === 'refused' && now - firstAt > refusedForLongMs)) delete remembered.roleSeen;
}

type Refusal = Extract<LoginResult, { ok: false }>;

/** Beyond the time for which a fresh branch refuses logins. */
const refusedForLongMs = 60_000;

/** A fresh branch refuses logins for up to a minute: 1, 2, 4, 8 s, then every 8 s; after that once a minute. */
const loginPauseMs = (attempts: number, sinceMs: number): number =>
  sinceMs > refusedForLongMs ? 60_000 : 1000 * 2 ** Math.min(3, attempts - 1);

/** A token is written only this soon after it was minted. */
const youngMs = 60_000;

export async function issue(reach: Reach, { binding, replaces }: Extract<Plan, { do: 'issue' }>): Promise<Outcome> {
  const { clock, wish } = reach;
  const { branchUid, branchId } = binding;
  const remembered = rememberedOf(reach, branchId);
  const held = remembered.held?.branchUid === branchUid ? remembered.held.credential : undefined;
  const young = held && clock.now().getTime() - held.issueTime.getTime() < youngMs;
  const credential = young ? held : await mint(reach, branchId, primary);
  // Kept until the Secret has it: a write that is refused must not cost a token and a login each time.
  remembered.held = { branchUid, credential, loggedIn: true };
  const revision = (replaces && 'revision' in replaces ? replaces.revision : 0) + 1;
  const issued = { ...credential, binding, revision, rotateTokenHash: rotateTokenHash(wish.rotateToken) };
  const outcome = await writeSecret(reach, issued, replaces);
  if (outcome.is === 'done') delete remembered.held;
  return outcome;
}

/** Conditional in every case: a create fails on any Secret of the name, a change on any version but the one last seen. */
export async function writeSecret(
  reach: Reach,
  credential: IssuedCredential,
  replaces: SecretIdentity | IssuedSecret | undefined,
): Promise<Outcome> {
  const { kube, memory, world, wish, signal } = reach;
  const remembered = memory.of(world.uid);
  const owner = ownerOf(world.object);
  const next = renderSecret(wish.secretName, owner, wish.shape, credential);
  const key = { namespace: owner.namespace, name: wish.secretName };
  try {
    const written = replaces
      ? await kube.mergePatch<Secret>(secretResource, key, secretPatch(next, replaces), { signal })
      : await kube.create<Secret>(secretResource, next, { signal });
    remembered.secret = { value: readSecret(written, owner), readAt: memory.now() };
    delete remembered.write;
    return done;
  } catch (error) {
    if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) return forgetSecret(memory, world.uid);
    if (!(error instanceof KubeError) || error.code >= 500 || error.code === 429) throw error;
    const message = error.status.message ?? error.reason;
    memory.writeFailed(world.uid, message);
    return {
      is: 'refused',
      state: isNamespaceTerminating(error) ? namespaceTerminating : stall(writeRefused(message)),
    };
  }
}

function ownerOf({ metadata }: DatabaseBranch): SecretOwner {
  const { name, namespace = '', uid = '' } = metadata;
  const { group, version, kind } = databaseBranchResource;
  return {
    name,
    namespace,
    uid,
    reference: { apiVersion: `${group}/${version}`, kind, name, uid, controller: true, blockOwnerDeletion: true },
  };
}

/** Somebody else changed it: it is read again before anything is decided on it, and the token minted for it is dropped. */
export function forgetSecret(memory: Memory, uid: string): Outcome {
  const remembered = memory.of(uid);
  delete remembered.secret;
  for (const branch of remembered.branches.values()) delete branch.held;
  return stale;
}
