// One login, then the proof, then the Secret. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { prove, type Binding } from '../../credentials/proof.ts';
import type { Branch, Endpoint } from '../../lakebase/model.ts';
import { look, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import type { Wish } from './wish.ts';
import type { LoginView, World } from './world.ts';

/** Fresh branches refuse logins for up to a minute; longer than this is worth a word. */
const reportLoginMs = 60_000;

export function loginStep(world: World, wish: Wish, endpoint: Endpoint): Plan | undefined {
  const { login, loggedIn, mint } = world.memory;
  if (!wish.verifyLogin || loggedIn || alreadyProved(world, endpoint)) return undefined;
  if (mint && mint.nextInMs > 0) return { ...trouble(mint.error, 'login'), lookInMs: mint.nextInMs };
  if (login?.kind === 'noPath') return undefined;
  if (login && login.nextInMs > 0) return loginPause(world, login);
  return { do: 'login', endpoint, username: world.username ?? '' };
}

function loginPause(world: World, login: LoginView): Plan {
  const missing = login.sinceMs > reportLoginMs && login.kind === 'roleMissing';
  if (missing && world.roleOnSource.seen === 'notAsked') return look('roleOnSource');
  return { ...loginState(world), lookInMs: login.nextInMs };
}

/** What to say while logins are tried. */
export function loginState(world: World): Wait {
  const { login } = world.memory;
  if (!login || login.sinceMs <= reportLoginMs)
    return waitFor(
      Reason.LoginPending,
      'logging in once before the credential is handed out; a fresh branch may refuse that for a minute',
    );
  return waitFor(Reason.LoginFailed, loginFailure(world, login.message));
}

function loginFailure({ memory, roleOnSource, username }: World, message: string): string {
  const base = `the login ${username ?? ''} is refused by the branch: ${message}`;
  if (memory.login?.kind !== 'roleMissing' || roleOnSource.seen !== 'present') return base;
  return `${base}. The role is missing on the branch and ${roleOnSource.value ? 'present' : 'missing too'} on the source`;
}

// Healing a Secret that named exactly this endpoint needs no login again: the database may sleep.
function alreadyProved({ object, username }: World, endpoint: Endpoint): boolean {
  const { status } = object;
  return (
    status?.endpoint?.uid === endpoint.uid &&
    status.endpoint.host === endpoint.host &&
    status.credentials?.username === username
  );
}

export function issueStep(world: World, wish: Wish, branch: Branch, endpoint: Endpoint): Plan {
  const problem = world.problems.find(({ reason }) => forbidsIssue.has(reason));
  if (problem) return stall(problem);
  const { mint } = world.memory;
  if (mint && mint.nextInMs > 0) return { ...trouble(mint.error, 'login'), lookInMs: mint.nextInMs };
  return proofOrElse(world, wish, branch, endpoint);
}

const forbidsIssue = new Set<Reason>([Reason.TemplateInvalid, Reason.NamespaceNotAllowed]);

function proofOrElse(world: World, wish: Wish, branch: Branch, endpoint: Endpoint): Plan {
  const { sourceEndpoints, recorded, username = '' } = world;
  switch (sourceEndpoints.seen) {
    case 'notAsked':
      return look('sourceEndpoints');
    case 'unknown':
      return trouble(sourceEndpoints.error);
    case 'absent':
      return stall({
        reason: Reason.SourceNotFound,
        message: `source branch ${wish.source} is gone: without it nothing proves that the endpoint is not the source's`,
      });
    case 'present': {
      // Not for the proof: so that the status can say whom the login reaches.
      if (wish.roleOnBranch && world.roleOnSource.seen === 'notAsked') return look('roleOnSource');
      const { project, source } = wish;
      const recordedUid = recorded?.uid ?? '';
      const proof = prove({
        recordedUid,
        project,
        source,
        username,
        branch,
        endpoint,
        sourceEndpoints: sourceEndpoints.value,
      });
      if (proof.proved) return issueOf(world, wish, proof.binding);
      return stall({ reason: Reason.EndpointMismatch, message: `no credential is handed out: ${proof.why}` });
    }
  }
}

function issueOf({ secret, recorded, memory }: World, wish: Wish, binding: Binding): Plan {
  const skipped = wish.verifyLogin && memory.login?.kind === 'noPath' ? { loginSkipped: memory.login.message } : {};
  if (secret.is === 'ours') return { do: 'issue', why: 'BindingChanged', binding, replaces: secret.secret, ...skipped };
  if (secret.is === 'damaged') return { do: 'issue', why: 'Healing', binding, replaces: secret, ...skipped };
  return { do: 'issue', why: recorded?.served ? 'Healing' : 'First', binding, replaces: undefined, ...skipped };
}
