// Who may log in to a database: asked by the proxy with what a client sent, answered from the books.
// The texts and SQLSTATEs are those seen on the service where they are known.
import { sameText } from './principals.ts';
import { childName, type BranchRecord, type EndpointRecord, type ProjectRecord } from './state.ts';
import type { LoginVerdict } from './data-plane.ts';
import type { Workspace } from './workspace.ts';

export interface LoginAttempt {
  /** By uid, as the data plane knows it, or by the host the client used. */
  readonly endpoint: { readonly uid: string } | { readonly host: string };
  readonly user: string;
  /** A token, or the password of a native role. */
  readonly password: string;
  /** Postgres itself judges whether it exists. */
  readonly database: string;
}

interface Target {
  readonly project: ProjectRecord;
  readonly branch: BranchRecord;
  readonly endpoint: EndpointRecord;
}

const opened: LoginVerdict = { ok: true };
const refuse = (sqlState: string, message: string): LoginVerdict => ({ ok: false, sqlState, message });

const notYet = refuse('28000', 'External authorization failed');
const notAuthorized = refuse('28000', 'OAuth: User is not authorized');
const nativeDisabled = refuse('28000', 'native postgres login is disabled for this endpoint');

export async function authorizeLogin(workspace: Workspace, attempt: LoginAttempt): Promise<LoginVerdict> {
  const target = findTarget(workspace, attempt.endpoint);
  if (!target) return refuse('08004', 'endpoint not found');
  const verdict = await judge(workspace, target, attempt);
  workspace.journal.note(workspace.now(), {
    what: verdict.ok ? 'login.accepted' : 'login.refused',
    name: childName(target.project.id, target.branch.id, 'endpoints', target.endpoint.id),
    uid: target.endpoint.uid,
    by: attempt.user,
    ...(verdict.ok ? {} : { why: verdict.message }),
  });
  return verdict;
}

async function judge(workspace: Workspace, target: Target, attempt: LoginAttempt): Promise<LoginVerdict> {
  const { branch, endpoint } = target;
  if (endpoint.disabled) return refuse('57P03', 'endpoint is disabled');
  if (branch.state === 'INIT') return notYet;
  const readyForMs = workspace.now() - branch.stateSince;
  if (readyForMs < workspace.faults.behaviour.loginRefusedMs) return notYet;
  return looksLikeToken(attempt.password) ? judgeToken(workspace, target, attempt) : judgePassword(target, attempt);
}

/** Three parts with dots are a JWT; personal access tokens are no passwords, and are refused with the same words. */
const looksLikeToken = (password: string): boolean =>
  password.startsWith('dapi') || /^ey[^.]*\.[^.]+\.[^.]+$/.test(password);

/** A token is judged when someone logs in, and never again: sessions outlive it. */
async function judgeToken(workspace: Workspace, target: Target, attempt: LoginAttempt): Promise<LoginVerdict> {
  const claims = await workspace.tokens.read(attempt.password);
  if (!claims || claims.expiresAt <= workspace.now() || claims.identity !== attempt.user) return notAuthorized;
  const { tokenScope } = workspace.faults.behaviour;
  const elsewhere = claims.use === 'database' && claims.endpointUid !== target.endpoint.uid;
  if (tokenScope === 'endpoint' && elsewhere) return notAuthorized;
  return (await isOpenToTokens(workspace, target.branch, attempt.user)) ? opened : notAuthorized;
}

/** Roles of the books say how they log in; SQL can have made others. */
async function isOpenToTokens(workspace: Workspace, branch: BranchRecord, user: string): Promise<boolean> {
  const role = Object.values(branch.roles).find((each) => each.postgresRole === user);
  if (role) return role.authMethod === 'LAKEBASE_OAUTH_V1';
  return workspace.dataPlane.isIdentityRole(branch.uid, user);
}

function judgePassword({ project, branch }: Target, { user, password }: LoginAttempt): LoginVerdict {
  if (!project.nativeLogin) return nativeDisabled;
  const role = Object.values(branch.roles).find((each) => each.postgresRole === user);
  if (role?.password !== undefined && sameText(role.password, password)) return opened;
  return refuse('28P01', `password authentication failed for user "${user}"`);
}

function findTarget(workspace: Workspace, wanted: LoginAttempt['endpoint']): Target | undefined {
  for (const project of Object.values(workspace.state.projects)) {
    if (project.deletedAt !== undefined) continue;
    for (const branch of Object.values(project.branches)) {
      const endpoint = Object.values(branch.endpoints).find((each) =>
        'uid' in wanted ? each.uid === wanted.uid : each.host === wanted.host,
      );
      if (endpoint) return { project, branch, endpoint };
    }
  }
  return undefined;
}
