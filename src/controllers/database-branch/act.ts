// Runs one step: the only way in which this controller writes. Every step may be repeated.
import { annotationKey, databaseBranchFinalizer, databaseBranchResource, secretResource } from '../../api/names.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import type { BranchEnd } from '../../api/v1alpha1/ends.ts';
import type { Clock } from '../../kit/clock.ts';
import { addFinalizer, removeFinalizer } from '../../kit/finalizers.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound, type Kube } from '../../kit/kube.ts';
import { unreachable } from '../../kit/result.ts';
import { LakebaseError } from '../../lakebase/errors.ts';
import { endedMark } from '../../lakebase/ids.ts';
import type { Login } from '../../lakebase/login.ts';
import type { Projects } from '../projects.ts';
import { createBranch, createRole, deleteBranch, extendRole, resize, setExpiry } from './act-on-branch.ts';
import { forgetSecret, issue, tryLogin, writeSecret } from './act-on-secret.ts';
import type { Memory } from './memory.ts';
import type { Sighting } from './observe.ts';
import { done, namespaceTerminating, type Outcome } from './outcome.ts';
import type { Plan, SecretIdentity } from './plan.ts';
import type { Reach } from './reach.ts';
import type { Slots } from './slots.ts';
import { secretNameOf } from './wish.ts';
import type { World } from './world.ts';

export interface ActDeps {
  readonly kube: Kube;
  readonly memory: Memory;
  readonly projects: Projects;
  readonly slots: Slots;
  readonly login: Login;
  readonly clock: Clock;
}

type Step = Exclude<Plan, { do: 'look' | 'lookAround' }>;

/** Throws KubeError and KubeUnreachable other than those that mean "somebody was faster". */
export async function act(deps: ActDeps, sighting: Sighting, plan: Step, signal: AbortSignal): Promise<Outcome> {
  try {
    return await run(deps, sighting, plan, signal);
  } catch (error) {
    if (error instanceof LakebaseError) return { is: 'failed', error };
    if (isConflict(error) || isAlreadyExists(error)) return forgetSecret(deps.memory, sighting.world.uid);
    if (isNamespaceTerminating(error)) return { is: 'refused', state: namespaceTerminating };
    throw error;
  }
}

async function run(deps: ActDeps, sighting: Sighting, plan: Step, signal: AbortSignal): Promise<Outcome> {
  const { kube } = deps;
  const { object } = sighting.world;
  switch (plan.do) {
    case 'idle':
    case 'wait':
    case 'record':
      return done;
    case 'claim': {
      const claimed = await addFinalizer(kube, databaseBranchResource, object, databaseBranchFinalizer, { signal });
      deps.memory.of(sighting.world.uid).isNew = true;
      return { is: 'done', object: deps.memory.wrote(object, claimed) };
    }
    case 'release':
      await removeFinalizer(kube, databaseBranchResource, object, databaseBranchFinalizer, { signal });
      return done;
    case 'markEnded':
      return {
        is: 'done',
        object: deps.memory.wrote(object, await markEnded(deps, sighting.world, plan.reason, signal)),
      };
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
      | 'setExpiry'
      | 'deleteBranch';
  }
>;

async function atProvider(
  deps: ActDeps,
  { since, world, provider }: Sighting,
  plan: ProviderStep,
  signal: AbortSignal,
): Promise<Outcome> {
  const { wish, bclass } = world;
  if (!wish || !provider || !bclass) throw new Error(`${plan.do} without a provider`);
  const project = deps.projects.of({ host: bclass.spec.provider.host, project: wish.project });
  const reach: Reach = { ...deps, since, world, wish, bclass, provider, project, signal };
  switch (plan.do) {
    case 'createBranch':
      return createBranch(reach, plan);
    case 'resize':
      return resize(reach, plan);
    case 'createRole':
      return createRole(reach, plan);
    case 'extendRole':
      return extendRole(reach, plan);
    case 'login':
      return tryLogin(reach, plan);
    case 'issue':
      return issue(reach, plan);
    case 'render':
      return writeSecret(reach, plan.secret, plan.secret);
    case 'setExpiry':
      return setExpiry(reach, plan);
    case 'deleteBranch':
      return deleteBranch(reach, plan);
    default:
      return unreachable(plan);
  }
}

/** On the object itself, before anything is taken away: a crash after the branch is gone must not revive it. */
function markEnded(
  { kube, clock }: ActDeps,
  { object: { metadata, spec } }: World,
  reason: BranchEnd,
  signal: AbortSignal,
): Promise<DatabaseBranch> {
  const time = clock.now().toISOString();
  const { namespace = '', name, resourceVersion } = metadata;
  const body = {
    metadata: {
      resourceVersion,
      annotations: { [annotationKey.ended]: `${endedMark(spec.reset?.token ?? '')}/${reason}/${time}` },
    },
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
