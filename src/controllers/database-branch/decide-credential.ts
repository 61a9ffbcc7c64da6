// The credential: renewed while it is served, and before that one login, the proof, then the Secret. Pure.
import { Reason } from '../../api/v1alpha1/reasons.ts';
import { planCredential, type MintReason } from '../../credentials/plan.ts';
import { prove, type Binding } from '../../credentials/proof.ts';
import { rotateTokenHash, shapeHash, type IssuedSecret } from '../../credentials/secret.ts';
import type { Branch, Endpoint } from '../../lakebase/model.ts';
import { hold, look, lookAround, stall, trouble, waitFor, type Plan, type Wait } from './plan.ts';
import type { Wish } from './wish.ts';
import { isReset, type BranchView, type LoginView, type World } from './world.ts';

/** Fresh branches refuse logins for up to a minute; longer than this is worth a word. */
const reportLoginMs = 60_000;

/** What the Secret of the served branch needs: a new token, or the same one in another dress. */
export function credentialStep(world: World, wish: Wish, secret: IssuedSecret, now: Date): Plan | undefined {
  const { memory, uid } = world;
  const shown = { rotateTokenHash: rotateTokenHash(wish.rotateToken), shapeHash: shapeHash(wish.shape) };
  const plan = planCredential({ ownerUid: uid, secret, ...shown }, now);
  if (plan.do === 'keep' || (memory.write && memory.write.nextInMs > 0)) return undefined;
  if (plan.do === 'render') return templateProblem(world) ? undefined : { do: 'render', secret };
  if (rotationStopped(world, now)) return undefined;
  return mintStep(world, secret, plan.reason);
}

function mintStep({ turn, served }: World, secret: IssuedSecret, why: MintReason): Plan | undefined {
  if (why === 'RenewalDue' && turn === 'notAsked') return lookAround('turn');
  const failureMs = served?.memory.mint?.nextInMs ?? 0;
  if (turn === 'waiting' || failureMs > 0) return undefined;
  return { do: 'issue', why, binding: secret.binding, replaces: secret };
}

const templateProblem = ({ problems }: World): boolean =>
  problems.some(({ reason }) => reason === Reason.TemplateInvalid);

/** A namespace that lost its permission keeps its credential fresh for a day, then lets it run out. */
export const rotationGraceMs = 24 * 3_600_000;

export const rotationStopped = ({ notAllowedSince }: World, now: Date): boolean =>
  notAllowedSince !== undefined && now.getTime() - notAllowedSince.getTime() > rotationGraceMs;

export function loginStep(world: World, wish: Wish, view: BranchView, endpoint: Endpoint): Plan | undefined {
  const { login, loggedIn, mint } = view.memory;
  if (!wish.verifyLogin || loggedIn || alreadyProved(world, view, endpoint)) return undefined;
  if (mint && mint.nextInMs > 0) return { ...trouble(mint.error, 'login'), lookInMs: mint.nextInMs };
  if (login?.kind === 'noPath') return undefined;
  if (login && login.nextInMs > 0) return loginPause(world, view, login);
  return { do: 'login', of: view, endpoint, username: world.username ?? '' };
}

function loginPause(world: World, view: BranchView, login: LoginView): Plan {
  const missing = login.sinceMs > reportLoginMs && login.kind === 'roleMissing';
  if (missing && view.roleOnSource.seen === 'notAsked') return look('roleOnSource', view);
  return { ...loginState(world, view), lookInMs: login.nextInMs };
}

/** What to say while logins are tried. */
export function loginState({ username, wish }: World, view: BranchView): Wait {
  const { login } = view.memory;
  if (!login || login.sinceMs <= reportLoginMs)
    return waitFor(
      Reason.LoginPending,
      'logging in once before the credential is handed out; a fresh branch may refuse that for a minute',
    );
  const refused = `the login ${username ?? ''} is refused by the branch: ${login.message}`;
  if (login.kind !== 'roleMissing' || view.roleOnSource.seen !== 'present')
    return waitFor(
      Reason.LoginFailed,
      `${refused}. Check spec.login of the class and spec.credentials.database; it is tried once a minute`,
    );
  const onSource = view.roleOnSource.value;
  const remedy = wish?.roleOnBranch
    ? 'It is made again; if it goes again, find out who drops it'
    : 'Make it on the source, then set a new spec.reset.token; or use login.role: CreateOnBranch in the class';
  return waitFor(
    Reason.LoginRoleMissing,
    `${refused}. The role is missing on the branch and ${onSource ? 'present' : 'missing too'} on the source. ${remedy}`,
  );
}

// Healing a Secret that named exactly this endpoint needs no login again: the database may sleep.
function alreadyProved({ object, username, served }: World, view: BranchView, endpoint: Endpoint): boolean {
  const { status } = object;
  return (
    view === served &&
    status?.endpoint?.uid === endpoint.uid &&
    status.endpoint.host === endpoint.host &&
    status.credentials?.username === username
  );
}

export function issueStep(world: World, wish: Wish, view: BranchView, branch: Branch, endpoint: Endpoint): Plan {
  const problem = world.problems.find(({ reason }) => forbidsIssue.has(reason));
  if (problem) return hold(problem);
  const { mint } = view.memory;
  if (mint && mint.nextInMs > 0) return { ...trouble(mint.error, 'login'), lookInMs: mint.nextInMs };
  return proofOrElse(world, wish, view, branch, endpoint);
}

const forbidsIssue = new Set<Reason>([Reason.TemplateInvalid, Reason.NamespaceNotAllowed]);

function proofOrElse(world: World, wish: Wish, view: BranchView, branch: Branch, endpoint: Endpoint): Plan {
  const { sourceEndpoints } = view;
  switch (sourceEndpoints.seen) {
    case 'notAsked':
      return look('sourceEndpoints', view);
    case 'unknown':
      return trouble(sourceEndpoints.error);
    case 'absent':
      return stall({
        reason: Reason.SourceNotFound,
        message: `source branch ${sourceIn(wish, branch)} is gone: without it nothing proves that the endpoint is not the source's`,
      });
    case 'present': {
      // Not for the proof: so that the status can say whom the login reaches.
      if (wish.roleOnBranch && view.roleOnSource.seen === 'notAsked') return look('roleOnSource', view);
      const proof = prove({
        recordedUid: view.uid ?? '',
        project: wish.project,
        source: sourceIn(wish, branch),
        username: world.username ?? '',
        branch,
        endpoint,
        sourceEndpoints: sourceEndpoints.value,
      });
      if (proof.proved) return issueOf(world, wish, view, proof.binding);
      return stall({
        reason: Reason.EndpointMismatch,
        message: `no credential is handed out: ${proof.why}. Set a new spec.reset.token, which makes another branch; if it comes back, report it with this message`,
      });
    }
  }
}

/** What the branch was made from: checked when it was accepted. */
const sourceIn = (wish: Wish, { sourceBranch }: Branch): string => sourceBranch ?? wish.source;

function issueOf(world: World, wish: Wish, view: BranchView, binding: Binding): Plan {
  const { secret, served } = world;
  const { login } = view.memory;
  const skipped = wish.verifyLogin && login?.kind === 'noPath' ? { loginSkipped: login.message } : {};
  const issue = { do: 'issue', binding, ...skipped } as const;
  const another = isReset(world) && view !== served;
  if (secret.is === 'ours') return { ...issue, why: another ? 'Reset' : 'BindingChanged', replaces: secret.secret };
  if (secret.is === 'damaged') return { ...issue, why: another ? 'Reset' : 'Healing', replaces: secret };
  const why = another ? 'Reset' : served ? 'Healing' : 'First';
  return { ...issue, why, replaces: undefined };
}
