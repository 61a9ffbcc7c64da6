// Runs one step. The only file of this controller that writes; every step may be repeated.
import { annotationKey, databaseBranchFinalizer, databaseBranchResource, secretResource } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import {
  renderSecret,
  readSecret,
  rotateTokenHash,
  secretPatch,
  type IssuedCredential,
  type IssuedSecret,
  type Secret,
  type SecretOwner,
} from '../../credentials/secret.ts';
import type { Clock } from '../../kit/clock.ts';
import { addFinalizer, removeFinalizer } from '../../kit/finalizers.ts';
import {
  isAlreadyExists,
  isConflict,
  isNamespaceTerminating,
  isNotFound,
  KubeError,
  type Kube,
} from '../../kit/kube.ts';
import { unreachable } from '../../kit/result.ts';
import type { Credential } from '../../lakebase/client.ts';
import { hasCode, LakebaseError } from '../../lakebase/errors.ts';
import { endedMark } from '../../lakebase/ids.ts';
import type { Login } from '../../lakebase/login.ts';
import type { EndpointRef, Operation } from '../../lakebase/model.ts';
import type { Provider } from '../providers.ts';
import type { Memory, Remembered } from './memory.ts';
import type { Sighting } from './observe.ts';
import { stall, waitFor, writeRefused, type EndReason, type Plan, type SecretIdentity, type Wait } from './plan.ts';
import { secretNameOf, type Wish } from './wish.ts';
import type { World } from './world.ts';

export interface ActDeps {
  readonly kube: Kube;
  readonly memory: Memory;
  readonly login: Login;
  readonly clock: Clock;
}

/**
 * - `done`    the step was taken; look again
 * - `stale`   what the step rested on has changed meanwhile: nothing was written, start again from a read
 * - `failed`  the provider did not do it
 * - `refused` the API server did not take the write, and would not take it again now
 */
export type Outcome =
  | { readonly is: 'done'; readonly object?: DatabaseBranch }
  | { readonly is: 'stale' }
  | { readonly is: 'failed'; readonly error: LakebaseError }
  | { readonly is: 'refused'; readonly state: Wait };

const done: Outcome = { is: 'done' };
const stale: Outcome = { is: 'stale' };

type Step = Exclude<Plan, { do: 'look' }>;

/** Throws KubeError and KubeUnreachable other than those that mean "somebody was faster". */
export async function act(deps: ActDeps, sighting: Sighting, plan: Step, signal: AbortSignal): Promise<Outcome> {
  try {
    return await run(deps, sighting, plan, signal);
  } catch (error) {
    if (error instanceof LakebaseError) return { is: 'failed', error };
    if (isConflict(error) || isAlreadyExists(error)) return forgetSecret(deps, sighting.world);
    if (isNamespaceTerminating(error)) return { is: 'refused', state: namespaceTerminating };
    throw error;
  }
}

function forgetSecret({ memory }: ActDeps, { uid }: World): Outcome {
  delete memory.of(uid).secret;
  delete memory.of(uid).held;
  return stale;
}

async function run(deps: ActDeps, sighting: Sighting, plan: Step, signal: AbortSignal): Promise<Outcome> {
  const { kube } = deps;
  const { object } = sighting.world;
  switch (plan.do) {
    case 'idle':
    case 'wait':
    case 'record':
      return done;
    case 'claim':
      return {
        is: 'done',
        object: deps.memory.wrote(
          object,
          await addFinalizer(kube, databaseBranchResource, object, databaseBranchFinalizer, { signal }),
        ),
      };
    case 'release':
      await removeFinalizer(kube, databaseBranchResource, object, databaseBranchFinalizer, { signal });
      return done;
    case 'markEnded':
      return { is: 'done', object: deps.memory.wrote(object, await markEnded(deps, object, plan.reason, signal)) };
    case 'deleteSecret':
      return deleteSecret(deps, sighting.world, plan.secret, signal);
    default:
      return atProvider(deps, sighting, plan, signal);
  }
}

type ProviderStep = Extract<
  Step,
  {
    do:
      | 'createBranch'
      | 'resize'
      | 'createRole'
      | 'extendRole'
      | 'login'
      | 'issue'
      | 'render'
      | 'extendLease'
      | 'deleteBranch';
  }
>;

/** Everything that a step at the provider needs. */
interface Reach extends ActDeps {
  readonly world: World;
  readonly wish: Wish;
  readonly provider: Provider;
  readonly remembered: Remembered;
  readonly endpointRef: (endpoint: string) => EndpointRef;
  readonly signal: AbortSignal;
}

async function atProvider(
  deps: ActDeps,
  { world, provider }: Sighting,
  plan: ProviderStep,
  signal: AbortSignal,
): Promise<Outcome> {
  const { wish } = world;
  if (!wish || !provider) throw new Error(`${plan.do} without a provider`);
  const branch = { project: wish.project, branch: wish.branchId };
  const endpointRef = (endpoint: string): EndpointRef => ({ ...branch, endpoint });
  const reach: Reach = { ...deps, world, wish, provider, remembered: deps.memory.of(world.uid), endpointRef, signal };
  switch (plan.do) {
    case 'createBranch':
      return createBranch(reach, plan.expireTime);
    case 'resize':
      await remembering(reach, 'size', async () =>
        note(reach, await provider.manager.resizeEndpoint(endpointRef(plan.endpoint.id), plan.size, signal)),
      );
      reach.remembered.sized = `${world.recorded?.uid ?? ''}/${world.object.metadata.generation ?? 0}`;
      return done;
    case 'createRole':
      return roleChange(reach, () =>
        provider.manager.createRole(
          branch,
          { roleId: `sp-${plan.postgresRole}`, postgresRole: plan.postgresRole, membershipRoles: wish.membershipRoles },
          signal,
        ),
      );
    case 'extendRole':
      return roleChange(reach, () =>
        provider.manager.setRoleMembership(
          branch,
          plan.role.id,
          [...new Set([...plan.role.membershipRoles, ...wish.membershipRoles])],
          signal,
        ),
      );
    case 'login':
      return tryLogin(reach, plan);
    case 'issue':
      return issue(reach, plan);
    case 'render':
      return writeSecret(reach, plan.secret, plan.secret);
    case 'extendLease':
      await remembering(reach, 'lease', () => provider.manager.setExpiration(branch, plan.expireTime, signal));
      return done;
    case 'deleteBranch':
      reach.remembered.deletedAt = deps.memory.now();
      await ignoringGone(provider.manager.deleteBranch({ project: plan.project, branch: plan.branch.id }, signal));
      return done;
    default:
      return unreachable(plan);
  }
}

async function ignoringGone(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!hasCode(error, 'notFound')) throw error;
  }
}

async function createBranch({ memory, remembered, provider, wish, signal }: Reach, expireTime: Date): Promise<Outcome> {
  const { project, branchId: id, source } = wish;
  remembered.postedAt = memory.now();
  remembered.firstPostAt ??= remembered.postedAt;
  delete remembered.refusal;
  try {
    await provider.manager.createBranch({ project, id, source, expireTime }, signal);
    return done;
  } catch (error) {
    if (!(error instanceof LakebaseError)) throw error;
    // Whether it landed is for a GET to say; the refusal only chooses the words meanwhile.
    remembered.refusal = error;
    return error.code === 'exists' ? done : { is: 'failed', error };
  }
}

/** Changes of one branch run one after another: the next waits until this one is done. */
function note({ remembered }: Reach, { name, done: isDone }: Operation): void {
  if (isDone) delete remembered.operation;
  else remembered.operation = name;
}

/** A failure is kept with a backoff of its own, which the next decision waits for. */
async function remembering<T>(
  { remembered, memory, world }: Reach,
  chore: 'lease' | 'size' | 'role' | 'mint',
  run: () => Promise<T>,
): Promise<T> {
  try {
    const result = await run();
    delete remembered[chore];
    return result;
  } catch (error) {
    if (error instanceof LakebaseError) remembered[chore] = memory.failed(remembered[chore], error, world.uid);
    throw error;
  }
}

/** The answer is an operation; the role counts once a GET shows it. Until then it is not asked for again. */
async function roleChange(reach: Reach, change: () => Promise<Operation>): Promise<Outcome> {
  await remembering(reach, 'role', async () => note(reach, await change()));
  reach.remembered.rolePostedAt = reach.memory.now();
  return done;
}

async function mint(reach: Reach, endpoint: string): Promise<Credential> {
  const { provider, remembered, wish, signal } = reach;
  try {
    return await remembering(reach, 'mint', () =>
      provider.login.mintCredential(reach.endpointRef(endpoint), wish.tokenTTLSeconds, signal),
    );
  } catch (error) {
    remembered.mintSaidGone = hasCode(error, 'notFound');
    throw error;
  }
}

/** Every branch's read-write endpoint, made with the branch. */
const primary = 'primary';

async function tryLogin(reach: Reach, { endpoint, username }: Extract<Plan, { do: 'login' }>): Promise<Outcome> {
  const { remembered, world, wish, provider, memory, signal } = reach;
  const branchUid = world.recorded?.uid ?? '';
  if (remembered.held?.branchUid !== branchUid) {
    remembered.held = { branchUid, credential: await mint(reach, endpoint.id), loggedIn: false };
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
  if (result.ok) {
    remembered.held = { branchUid, credential, loggedIn: true };
    delete remembered.login;
    return done;
  }
  const attempts = (remembered.login?.attempts ?? 0) + 1;
  const now = memory.now();
  const firstAt = remembered.login?.firstAt ?? now;
  const nextAt = now + loginPauseMs(attempts, now - firstAt);
  remembered.login = { attempts, firstAt, nextAt, message: result.message, kind: result.kind };
  return done;
}

/** A fresh branch refuses logins for up to a minute: 1, 2, 4, 8 s, then every 8 s; after that once a minute. */
const loginPauseMs = (attempts: number, sinceMs: number): number =>
  sinceMs > 60_000 ? 60_000 : 1000 * 2 ** Math.min(3, attempts - 1);

/** A token is written only this soon after it was minted. */
const youngMs = 60_000;

async function issue(reach: Reach, { binding, replaces }: Extract<Plan, { do: 'issue' }>): Promise<Outcome> {
  const { remembered, clock, wish } = reach;
  const { branchUid } = binding;
  const held = remembered.held?.branchUid === branchUid ? remembered.held.credential : undefined;
  const young = held && clock.now().getTime() - held.issueTime.getTime() < youngMs;
  const credential = young ? held : await mint(reach, primary);
  // Kept until the Secret has it: a write that is refused must not cost a token and a login each time.
  remembered.held = { branchUid, credential, loggedIn: true };
  const revision = (replaces && 'revision' in replaces ? replaces.revision : 0) + 1;
  const issued = { ...credential, binding, revision, rotateTokenHash: rotateTokenHash(wish.rotateToken) };
  const outcome = await writeSecret(reach, issued, replaces);
  if (outcome.is === 'done') delete remembered.held;
  return outcome;
}

/** Conditional in every case: a create fails on any Secret of the name, a change on any version but the one last seen. */
async function writeSecret(
  reach: Reach,
  credential: IssuedCredential,
  replaces: SecretIdentity | IssuedSecret | undefined,
): Promise<Outcome> {
  const { kube, memory, remembered, world, wish, signal } = reach;
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
    if (isConflict(error) || isAlreadyExists(error) || isNotFound(error)) return forgetSecret(reach, world);
    if (!(error instanceof KubeError) || error.code >= 500 || error.code === 429) throw error;
    const message = error.status.message ?? error.reason;
    memory.writeFailed(world.uid, message);
    return {
      is: 'refused',
      state: isNamespaceTerminating(error) ? namespaceTerminating : stall(writeRefused(message)),
    };
  }
}

const namespaceTerminating = waitFor(
  Reason.NamespaceTerminating,
  'the namespace is being deleted: nothing new is made in it',
);

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

/** On the object itself, before anything is taken away: a crash after the branch is gone must not revive it. */
function markEnded(
  { kube, clock }: ActDeps,
  { metadata }: DatabaseBranch,
  reason: EndReason,
  signal: AbortSignal,
): Promise<DatabaseBranch> {
  const time = clock.now().toISOString();
  const { namespace = '', name, resourceVersion } = metadata;
  const body = {
    metadata: { resourceVersion, annotations: { [annotationKey.ended]: `${endedMark('')}/${reason}/${time}` } },
  };
  return kube.mergePatch<DatabaseBranch>(databaseBranchResource, { namespace, name }, body, { signal });
}

async function deleteSecret(
  { kube, memory }: ActDeps,
  { uid, object, wish }: World,
  secret: SecretIdentity,
  signal: AbortSignal,
): Promise<Outcome> {
  const name = wish?.secretName ?? secretNameOf(object);
  try {
    await kube.remove(secretResource, { namespace: object.metadata.namespace, name }, { uid: secret.uid }, { signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  memory.of(uid).secret = { value: { is: 'none' }, readAt: memory.now() };
  return done;
}
