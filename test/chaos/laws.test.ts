// The laws must be able to convict: each is shown a world that keeps it, and worlds that break it.
import { beforeEach, describe, expect, test } from 'vitest';
import { databaseBranchResource, secretResource } from '../../src/api/names.ts';
import { renderSecret, rotateTokenHash, type IssuedCredential, type Secret } from '../../src/credentials/secret.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import type { KubeObject, OwnerReference } from '../../src/kit/kube.ts';
import { branchId } from '../../src/lakebase/ids.ts';
import { Token } from '../../src/lakebase/token.ts';
import type { JournalLine } from '../stack/emulator.ts';
import type { Version } from './history.ts';
import { judgeBooks, judgeJournal, judgeObject } from './laws.ts';
import { Ledger } from './ledger.ts';
import { judgeSecret } from './secret-laws.ts';

const clusterID = 'cluster';
const identities = { manager: 'manager', loginNames: ['login'] };
const idOf = (name: string, resetToken = ''): string =>
  branchId({ clusterID, namespace: 'ns', name, uid: `uid-${name}`, resetToken });

let ledger: Ledger;
let revision = 1;

function version(object: KubeObject | undefined, before?: KubeObject, type = databaseBranchResource): Version {
  const { namespace, name } = (object ?? before)!.metadata;
  return { revision: revision++, at: 0, type, key: `${namespace}/${name}`, object, before };
}

const anObject = (name: string, metadata: object = {}, rest: object = {}): KubeObject =>
  ({
    metadata: { namespace: 'ns', name, uid: `uid-${name}`, creationTimestamp: '2026-11-25T10:00:00Z', ...metadata },
    spec: {},
    ...rest,
  }) as KubeObject;

const aBranch = (id: string, uid: string, change: object = {}): BranchFacts =>
  ({
    id,
    uid,
    project: 'shop',
    state: 'READY',
    deleting: false,
    sequence: 1,
    endpoints: { primary: { uid: `ep-${uid}`, host: `${uid}.test` } },
    ...change,
  }) as unknown as BranchFacts;

beforeEach(() => {
  ledger = new Ledger();
  ledger.clusterID = clusterID;
  for (const name of ['ann', 'bob']) ledger.note(version(anObject(name)));
  ledger.noteBranches([
    aBranch('production', 'br-root'),
    aBranch(idOf('ann'), 'br-ann'),
    aBranch(idOf('bob'), 'br-bob'),
  ]);
});

describe('what the operator does at the provider', () => {
  const line = (what: string, id: string, uid: string, by: string | undefined = 'manager'): JournalLine => ({
    at: '2026-11-25T10:00:00Z',
    what,
    name: `projects/shop/branches/${id}`,
    uid,
    ...(by === undefined ? {} : { by }),
  });
  const judged = (each: JournalLine): string[] => judgeJournal([each], ledger, identities);

  test.each([
    ['makes the branch of an object', () => line('branch.create', idOf('ann'), 'br-ann')],
    ['extends the lease of its branch', () => line('branch.update', idOf('ann'), 'br-ann')],
    ['mints a token for it', () => line('credential.mint', `${idOf('ann')}/endpoints/primary`, 'ep-br-ann', 'login')],
  ])('%s: lawful', (_what, each) => {
    expect(judged(each())).toEqual([]);
  });

  test.each([
    ['changes the source', () => line('branch.update', 'production', 'br-root'), 'touched what no object made'],
    ['mints for the source', () => line('credential.mint', 'production/endpoints/p', 'e', 'login'), 'touched what no'],
    [
      'deletes one that only looks like its own',
      () => line('branch.delete', 'ns-db-aaaaaaaaaaaaaaaa-bbbbbb', 'x'),
      'touched what no object made',
    ],
    ['makes a second branch', () => line('branch.create', idOf('ann'), 'br-other'), 'was made twice'],
    ['makes a branch nobody wants', () => line('branch.create', idOf('ann', '7'), 'br-7'), 'no version of its object'],
    ['deletes a branch in use', () => line('branch.delete', idOf('ann'), 'br-ann'), 'still wants it'],
    [
      'lets the lease lapse',
      () => ({ at: '', what: 'branch.expire', name: `projects/shop/branches/${idOf('ann')}`, uid: 'br-ann' }),
      'expiry ended a branch',
    ],
  ])('%s: convicted', (_what, each, words) => {
    expect(judged(each())).toEqual([expect.stringContaining(words)]);
  });

  test('making it again is lawful for nobody but who comes late, when it was given up', () => {
    const again = (): string[] => judged(line('branch.create', idOf('ann'), 'br-again'));
    ledger.noteBranches([aBranch(idOf('ann'), 'br-ann', { state: 'DELETED' })]);
    expect(again()).toHaveLength(1);
    ledger.note(version(anObject('ann', { deletionTimestamp: '2026-11-25T11:00:00Z' })));
    expect(again()).toEqual([]);
    ledger.noteBranches([aBranch(idOf('ann'), 'br-ann')]);
    expect(again()).toHaveLength(1);
  });

  test('deleting is lawful once the object goes', () => {
    ledger.note(version(anObject('ann', { deletionTimestamp: '2026-11-25T11:00:00Z' })));
    expect(judged(line('branch.delete', idOf('ann'), 'br-ann'))).toEqual([]);
  });

  test('deleting is lawful once a reset has given the branch up, and not the other one', () => {
    ledger.note(version(anObject('ann', {}, { spec: { reset: { token: '1' } } })));
    expect(judged(line('branch.delete', idOf('ann'), 'br-ann'))).toEqual([]);
    expect(judged(line('branch.delete', idOf('ann', '1'), 'br-1'))).toHaveLength(1);
  });

  test('a branch that is to be retained is not deleted, and ends by itself', () => {
    const end = Date.parse('2026-11-28T10:00:00Z');
    const status = { branch: { uid: 'br-ann' }, expiration: { expireTime: new Date(end).toISOString() } };
    const going = { deletionTimestamp: '2026-11-25T11:00:00Z' };
    ledger.note(version(anObject('ann', going, { spec: { deletionPolicy: 'Retain' }, status })));
    expect(judged(line('branch.delete', idOf('ann'), 'br-ann'))).toHaveLength(1);
    const left = (expiresAt: number | undefined): string | undefined => {
      ledger.noteBranches([aBranch(idOf('ann'), 'br-ann', { expiresAt })]);
      return ledger.ill(ledger.branches.get('br-ann')!);
    };
    expect(left(end + 600_000)).toBeUndefined();
    expect(left(end - 86_400_000)).toContain('should end at');
    const edited = { deletionPolicy: 'Retain' as const, expiration: { at: new Date(end - 86_400_000).toISOString() } };
    ledger.note(version(anObject('ann', going, { spec: edited, status })));
    expect(left(end - 86_400_000 + 600_000)).toBeUndefined();
    expect(left(end - 2 * 86_400_000)).toContain('should end at');
    expect(left(undefined)).toContain('nothing');
  });

  test('a person may do anything', () => {
    expect(judged(line('branch.delete', 'production', 'br-root', 'hand@example.com'))).toEqual([]);
  });

  test('an object with two live branches is convicted', () => {
    expect(judgeBooks(ledger)).toEqual([]);
    ledger.noteBranches([aBranch(idOf('ann', '7'), 'br-7')]);
    expect(judgeBooks(ledger)).toEqual([expect.stringContaining('has 2 live branches')]);
  });
});

describe('statuses', () => {
  const condition = { type: 'Ready', reason: 'Available', message: 'fine', lastTransitionTime: '2026-11-25T10:00:00Z' };
  const withReady = (message: string, status = 'True'): KubeObject =>
    anObject(
      'ann',
      { generation: 1 },
      {
        status: {
          observedGeneration: 1,
          conditions: [
            {
              ...condition,
              message,
              status,
              observedGeneration: 1,
              reason: status === 'True' ? 'Available' : 'Claiming',
            },
          ],
        },
      },
    );

  test.each([
    ['lawful', withReady('fine'), []],
    ['not Ready for no reason', withReady('fine', 'False'), [expect.stringContaining('unlawful status of ann')]],
    [
      'with a token',
      withReady('eyJhbGciOiJFUzI1NiJ9.x.y'),
      [expect.stringContaining('unlawful'), expect.stringContaining('shows a token')],
    ],
    [
      'whose spec the operator wrote',
      anObject('ann', { managedFields: [{ manager: 'lakebranch', fieldsV1: { 'f:spec': {} } }] }),
      [expect.stringContaining('the operator wrote the spec')],
    ],
  ])('one %s', (_what, object, verdict) => {
    expect(judgeObject(version(object))).toEqual(verdict);
  });
});

describe('Secrets', () => {
  const tokenOf = (claims: object): string =>
    `eyJhbGciOiJFUzI1NiJ9.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.sig`;

  interface Written {
    readonly branch?: string;
    readonly endpoint?: string;
    readonly sub?: string;
    readonly username?: string;
    readonly issuedAt?: string;
    readonly rotateToken?: string;
    readonly jti?: number;
  }

  function aSecret(written: Written = {}): Secret {
    const { branch = 'br-ann', username = 'login', issuedAt = '10:00:00', rotateToken = '' } = written;
    const endpoint = written.endpoint ?? `ep-${branch}`;
    const reference: OwnerReference = {
      apiVersion: 'x',
      kind: 'DatabaseBranch',
      name: 'ann',
      uid: 'uid-ann',
      controller: true,
    };
    const issueTime = new Date(`2026-11-25T${issuedAt}Z`);
    const credential: IssuedCredential = {
      binding: { branchId: `${branch}-id`, branchUid: branch, endpointUid: endpoint, host: `${branch}.test`, username },
      token: new Token(tokenOf({ endpoint, sub: written.sub ?? username, jti: written.jti ?? 1 })),
      issueTime,
      expireTime: new Date(issueTime.getTime() + 60_000),
      revision: 1,
      rotateTokenHash: rotateTokenHash(rotateToken),
    };
    const shape = { database: 'db', port: 5432, template: { data: {}, labels: {}, annotations: {} } };
    const secret = renderSecret('ann', { namespace: 'ns', name: 'ann', uid: 'uid-ann', reference }, shape, credential);
    return { ...secret, metadata: { ...secret.metadata, uid: 'secret', resourceVersion: String(revision) } };
  }

  const judged = (secret: Secret, before?: Secret): string[] =>
    judgeSecret(version(secret, before, secretResource), ledger, identities);

  test.each([
    ['opens the branch of its object', {}, ''],
    ['opens a branch of another object', { branch: 'br-bob' }, 'which is not of its owner ann'],
    ['opens the source', { branch: 'br-root' }, 'which is not of its owner ann'],
    ['opens what nobody knows', { branch: 'br-none' }, '0 branches have its host'],
    ['holds the token of another endpoint', { endpoint: 'ep-br-bob' }, 'minted for endpoint ep-br-bob'],
    ['holds the token of another identity', { sub: 'manager' }, 'its token is of manager'],
    ['is of the manager', { username: 'manager' }, 'is not a login of a class'],
  ] satisfies [string, Written, string][])('one that %s', (_what, written, words) => {
    const verdict = judged(aSecret(written)).join('; ');
    expect(verdict).toContain(words);
    expect(verdict === '').toBe(words === '');
  });

  test('what the tamperer wrote is not the operator’s', () => {
    const secret = aSecret({ branch: 'br-bob' });
    ledger.tampering(secret, {})(secret);
    expect(judged(secret)).toEqual([]);
  });

  test.each([
    ['when it is due', { issuedAt: '10:00:34', jti: 2 }, []],
    ['too early', { issuedAt: '10:00:10', jti: 2 }, [expect.stringContaining('its token was replaced at')]],
    ['early, because somebody asked for it', { issuedAt: '10:00:10', jti: 2, rotateToken: 'now' }, []],
  ])('a token that is replaced %s', (_when, written, verdict) => {
    expect(judged(aSecret(written), aSecret())).toEqual(verdict);
  });
});
