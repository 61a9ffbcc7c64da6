// The credential: when it is renewed, and what has to be proved before one is handed out.
import { expect, test } from 'vitest';
import { idOf, told } from '../../../test/builders/plan.ts';
import {
  aBranch,
  absent,
  anEndpoint,
  anIssuedSecret,
  aView,
  aWorld,
  hours,
  later,
  minutes,
  now,
  object,
  present,
  sourceEndpoint,
  unknown,
  wish,
  type ViewChange,
  type WorldChange,
  wishIn,
  wantedIn,
  servedIn,
} from '../../../test/builders/world.ts';
import type { Reason } from '../../api/v1alpha1/reasons.ts';
import type { Branch } from '../../lakebase/model.ts';
import { credentialStep, issueStep, loginState, loginStep } from './decide-credential.ts';
import type { LoginView } from './world.ts';

const failure = (nextInMs: number) => ({ attempts: 1, sinceMs: 1, nextInMs, error: unknown('denied').error });
const problems = (...reasons: Reason[]) => ({ problems: reasons.map((reason) => ({ reason, message: reason })) });

const old = anIssuedSecret({ issueTime: later(-minutes(40)), expireTime: later(minutes(20)) });
const asked: WorldChange = { wish: { rotateToken: 'again' } };
const edited: WorldChange = { wish: { shape: { ...wish.shape, port: 5433 } } };
const renewal = 'issue RenewalDue replacing s-1';

test.each<[string, WorldChange, string]>([
  ['when it is due', {}, renewal],
  ['when it is its turn', { turn: 'notAsked' }, 'look around turn'],
  ['and not before others', { turn: 'waiting' }, 'nothing'],
  ['not while the API server refuses the Secret', { memory: { write: { message: 'm', nextInMs: 1 } } }, 'nothing'],
  ['until that is tried again', { memory: { write: { message: 'm', nextInMs: 0 } } }, renewal],
  ['not while the provider refuses a token', { served: { memory: { mint: failure(1) } } }, 'nothing'],
  ['until that is tried again', { served: { memory: { mint: failure(0) } } }, renewal],
  ['for a day after the namespace lost its permission', { notAllowedSince: later(-hours(24)) }, renewal],
  ['and no longer', { notAllowedSince: later(-hours(24) - 1) }, 'nothing'],
])('a token is renewed: %s', (_sentence, change, expected) => {
  const world = aWorld({ served: {}, ...change });
  expect(told(credentialStep(world, wishIn(world), old, now))).toBe(expected);
});

test.each<[string, WorldChange, string]>([
  ['a young token stays', {}, 'nothing'],
  [
    'unless somebody asks for another, whose turn it always is',
    { ...asked, turn: 'notAsked' },
    'issue RotationRequested replacing s-1',
  ],
  ['an edited template is written with the same token', edited, 'render'],
  ['unless it is wrong', { ...edited, ...problems('TemplateInvalid') }, 'nothing'],
  ['other problems do not concern it', { ...edited, ...problems('SourceNotAllowed') }, 'render'],
])('a Secret is written: %s', (_sentence, change, expected) => {
  const world = aWorld({ served: {}, ...change });
  expect(told(credentialStep(world, wishIn(world), anIssuedSecret(), now))).toBe(expected);
});

const login = (change: Partial<LoginView> = {}): LoginView => ({
  attempts: 1,
  sinceMs: 500,
  nextInMs: 300,
  message: 'its words',
  kind: 'refused',
  ...change,
});
const missing = login({ kind: 'roleMissing', sinceMs: minutes(1) + 1 });
const proved: WorldChange = {
  served: 'wanted',
  object: {
    ...object,
    status: {
      ...object.status,
      endpoint: { uid: 'ep-1', host: 'ep-1.example' },
      credentials: { username: 'app', secretName: 'db', issueTime: 't', expireTime: 't', revision: 1 },
    },
  },
};
const logsIn = 'login app on wanted';

test.each<[string, WorldChange, string]>([
  ['before the first Secret', {}, logsIn],
  ['not if nobody wants it', { wish: { verifyLogin: false } }, 'nothing'],
  ['once', { wanted: { memory: { loggedIn: true } } }, 'nothing'],
  ['not for a Secret that was lost, of the very same endpoint', proved, 'nothing'],
  ['of another branch it is needed', { ...proved, served: { id: idOf('former') } }, logsIn],
  ['with another user too', { ...proved, username: 'other' }, 'login other on wanted'],
  ['not while no token is given', { wanted: { memory: { mint: failure(1) } } }, 'stalled PermissionDenied, 1 ms'],
  ['until that is tried again', { wanted: { memory: { mint: failure(0) } } }, logsIn],
  ['not where no way leads to the database', { wanted: { memory: { login: login({ kind: 'noPath' }) } } }, 'nothing'],
  ['not at once after a refusal', { wanted: { memory: { login: login() } } }, 'wait LoginPending, 300 ms'],
  ['however short that is', { wanted: { memory: { login: login({ nextInMs: 1 }) } } }, 'wait LoginPending, 1 ms'],
  ['then it is tried again', { wanted: { memory: { login: login({ nextInMs: 0 }) } } }, logsIn],
  [
    'a role that is missing for a minute is looked for on the source',
    { wanted: { memory: { login: missing } } },
    'look roleOnSource of wanted',
  ],
  ['not sooner', { wanted: { memory: { login: { ...missing, sinceMs: minutes(1) } } } }, 'wait LoginPending, 300 ms'],
  [
    'not for other refusals',
    { wanted: { memory: { login: { ...missing, kind: 'refused' } } } },
    'wait LoginFailed, 300 ms',
  ],
  ['once', { wanted: { memory: { login: missing }, roleOnSource: present(false) } }, 'wait LoginRoleMissing, 300 ms'],
])('a login is tried: %s', (_sentence, change, expected) => {
  const world = aWorld(change);
  expect(told(loginStep(world, wishIn(world), wantedIn(world), anEndpoint()))).toBe(expected);
});

test.each([
  ['its uid', anEndpoint({ uid: 'ep-2' })],
  ['its host', anEndpoint({ host: 'ep-2.example' })],
])('a Secret that was lost needs a login again when the endpoint has changed: %s', (_sentence, endpoint) => {
  const world = aWorld(proved);
  expect(told(loginStep(world, wish, wantedIn(world), endpoint))).toBe(logsIn);
});

test.each<[string, ViewChange, WorldChange, string, readonly string[]]>([
  ['before the first try', {}, {}, 'wait LoginPending', ['a fresh branch may refuse']],
  [
    'for a minute',
    { memory: { login: login({ sinceMs: minutes(1) }) } },
    {},
    'wait LoginPending',
    ['a fresh branch may refuse'],
  ],
  [
    'then in the words of the database',
    { memory: { login: login({ sinceMs: minutes(1) + 1 }) } },
    {},
    'wait LoginFailed',
    ['the login app is refused', 'its words'],
  ],
  [
    'also while it is not known whether the source has the role',
    { memory: { login: missing } },
    {},
    'wait LoginFailed',
    ['its words'],
  ],
  [
    'where we make the role',
    { memory: { login: missing }, roleOnSource: present(true) },
    {},
    'wait LoginRoleMissing',
    ['present on the source', 'who drops it'],
  ],
  [
    'where it comes with the source',
    { memory: { login: missing }, roleOnSource: present(false) },
    { wish: { roleOnBranch: false } },
    'wait LoginRoleMissing',
    ['missing too on the source', 'Make it on the source'],
  ],
])('while logins are tried it is said why: %s', (_sentence, view, change, expected, words) => {
  const state = loginState(aWorld(change), aView(view));
  expect(told(state)).toBe(expected);
  for (const word of words) expect(state.message).toContain(word);
});

/** Everything is proved. */
const fine: ViewChange = {
  uid: 'br-1',
  sourceEndpoints: present([sourceEndpoint]),
  roleOnSource: present(false),
};
const damaged = { is: 'damaged', uid: 's-7', resourceVersion: '1', branchUid: undefined } as const;
const ours = { is: 'ours', secret: anIssuedSecret() } as const;
const former: WorldChange = { served: { id: idOf('former'), uid: 'br-0' } };
const noPath = { ...fine, memory: { login: login({ kind: 'noPath' }) } };

function issued({ wanted, ...change }: WorldChange, branch: Branch = aBranch()) {
  const world = aWorld({ ...change, wanted: { ...fine, ...wanted } });
  return issueStep(world, wishIn(world), wantedIn(world), branch, anEndpoint());
}

test.each<[string, WorldChange, string]>([
  ['the first one', {}, 'issue First replacing nothing'],
  ['that of a reset', former, 'issue Reset replacing nothing'],
  ['in the place of the one before', { ...former, secret: ours }, 'issue Reset replacing s-1'],
  ['or of what is left of it', { ...former, secret: damaged }, 'issue Reset replacing s-7'],
  ['one that was deleted', { served: 'wanted' }, 'issue Healing replacing nothing'],
  ['or damaged', { served: 'wanted', secret: damaged }, 'issue Healing replacing s-7'],
  ['one that leads elsewhere', { served: 'wanted', secret: ours }, 'issue BindingChanged replacing s-1'],
  [
    'without a login, if no way led to the database',
    { wanted: noPath },
    'issue First replacing nothing, login skipped: its words',
  ],
  [
    'which is not said where none is wanted',
    { wanted: noPath, wish: { verifyLogin: false } },
    'issue First replacing nothing',
  ],
  [
    'not while the template is wrong',
    problems('SourceNotAllowed', 'TemplateInvalid', 'NamespaceNotAllowed'),
    'stalled TemplateInvalid',
  ],
  ['not where the namespace may have none', problems('NamespaceNotAllowed'), 'stalled NamespaceNotAllowed'],
  ['not while no token is given', { wanted: { memory: { mint: failure(1) } } }, 'stalled PermissionDenied, 1 ms'],
  ['until that is tried again', { wanted: { memory: { mint: failure(0) } } }, 'issue First replacing nothing'],
  [
    'first the source is looked at',
    { wanted: { sourceEndpoints: { seen: 'notAsked' } } },
    'look sourceEndpoints of wanted',
  ],
  ['in an outage nothing is proved', { wanted: { sourceEndpoints: unknown() } }, 'wait ProviderUnreachable, 10 s'],
  ['nor without the source', { wanted: { sourceEndpoints: absent } }, 'stalled SourceNotFound'],
  [
    'it is looked whether the login reaches the source',
    { wanted: { roleOnSource: { seen: 'notAsked' } } },
    'look roleOnSource of wanted',
  ],
  [
    'where it comes with the source that is known',
    { wanted: { roleOnSource: { seen: 'notAsked' } }, wish: { roleOnBranch: false } },
    'issue First replacing nothing',
  ],
  [
    'not for the endpoint of the source',
    { wanted: { sourceEndpoints: present([anEndpoint()]) } },
    'stalled EndpointMismatch',
  ],
  ['not for a login without a name', { username: undefined }, 'stalled EndpointMismatch'],
  ['not for a branch of which nothing is on record', { wanted: { uid: undefined } }, 'stalled EndpointMismatch'],
])('a credential is handed out: %s', (_sentence, change, expected) => expect(told(issued(change))).toBe(expected));

test('in a reset a credential of the branch that is still served is no switch', () => {
  const world = aWorld({ served: { ...fine, id: idOf('former') } });
  const served = servedIn(world);
  const branch = aBranch({ id: idOf('former') });
  const plan = issueStep(world, wish, served, branch, anEndpoint({ branch: branch.id }));
  expect(told(plan)).toBe('issue Healing replacing nothing');
});

test('the source that counts is the one that the branch was made from', () => {
  expect(told(issued({}, aBranch({ sourceBranch: 'staging' })))).toBe('issue First replacing nothing');
});

test('of a branch that tells no source the one that was asked for is named', () => {
  const root = (({ sourceBranch: _none, ...branch }) => branch)(aBranch());
  expect(issued({ wanted: { sourceEndpoints: absent } }, root)).toHaveProperty(
    'message',
    expect.stringContaining('source branch production'),
  );
});

test('whose right is lacking for a token is said', () => {
  const world = aWorld({ wanted: { ...fine, memory: { mint: failure(1) } } });
  const words = expect.stringContaining('spec.login.auth');
  expect(loginStep(world, wish, wantedIn(world), anEndpoint())).toHaveProperty('message', words);
  expect(issued({ wanted: { memory: { mint: failure(1) } } })).toHaveProperty('message', words);
});
