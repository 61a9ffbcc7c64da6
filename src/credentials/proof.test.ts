import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Branch, Endpoint } from '../lakebase/model.ts';
import { prove, type ProofRequest } from './proof.ts';

const branch: Branch = {
  id: 'pr-1',
  uid: 'br-1',
  project: 'shop',
  state: 'READY',
  isDefault: false,
  isProtected: false,
  sourceBranch: 'production',
};
const endpoint: Endpoint = {
  id: 'primary',
  uid: 'ep-1',
  project: 'shop',
  branch: 'pr-1',
  type: 'READ_WRITE',
  state: 'ACTIVE',
  pending: false,
  host: 'ep-1.example',
};
const ofSource: Endpoint = { ...endpoint, uid: 'ep-0', branch: 'production', host: 'ep-0.example' };
const request: ProofRequest = {
  recordedUid: 'br-1',
  project: 'shop',
  source: 'production',
  username: 'app',
  branch,
  endpoint,
  sourceEndpoints: [ofSource],
};

test('the branch that the object made, with an endpoint of its own, is proved', () => {
  expect(prove(request)).toEqual({
    proved: true,
    binding: { branchId: 'pr-1', branchUid: 'br-1', endpointUid: 'ep-1', host: 'ep-1.example', username: 'app' },
  });
});

const without = <T extends object>(value: T, key: keyof T): T => {
  const copy = { ...value };
  delete copy[key];
  return copy;
};

test.each<[string, Partial<ProofRequest>, string]>([
  [
    'another uid under the same id',
    { branch: { ...branch, uid: 'br-2' } },
    'branch pr-1 has uid br-2, recorded was br-1',
  ],
  ['no recorded uid', { recordedUid: '', branch: { ...branch, uid: '' } }, 'branch pr-1 has uid , recorded was '],
  ['another project', { branch: { ...branch, project: 'other' } }, 'branch pr-1 belongs to project other, not shop'],
  [
    'the default branch',
    { branch: { ...branch, isDefault: true } },
    'branch pr-1 is the default branch of the project',
  ],
  ['a protected branch', { branch: { ...branch, isProtected: true } }, 'branch pr-1 is protected'],
  ['a root branch', { branch: without(branch, 'sourceBranch') }, 'branch pr-1 is a root branch'],
  [
    'the source itself',
    { source: 'pr-1', branch: { ...branch, sourceBranch: 'pr-1' } },
    'branch pr-1 is the source itself',
  ],
  [
    'a child of another branch',
    { branch: { ...branch, sourceBranch: 'staging' } },
    'branch pr-1 was made from staging, not from production',
  ],
  [
    'an endpoint of another branch',
    { endpoint: { ...endpoint, branch: 'production' } },
    'endpoint ep-1 belongs to branch production, not pr-1',
  ],
  [
    'an endpoint of another project',
    { endpoint: { ...endpoint, project: 'other' } },
    'endpoint ep-1 belongs to project other, not shop',
  ],
  [
    'a read-only endpoint',
    { endpoint: { ...endpoint, type: 'READ_ONLY' } },
    'endpoint ep-1 is not the read-write endpoint',
  ],
  ['an endpoint without a host', { endpoint: without(endpoint, 'host') }, 'endpoint ep-1 has no host'],
  ['an endpoint with an empty host', { endpoint: { ...endpoint, host: '' } }, 'endpoint ep-1 has no host'],
  [
    'an endpoint without a uid',
    { endpoint: { ...endpoint, uid: '' } },
    'the endpoint has no uid or the login has no name',
  ],
  ['a login without a name', { username: '' }, 'the endpoint has no uid or the login has no name'],
  [
    'the host of the source',
    { endpoint: { ...endpoint, host: 'ep-0.example' } },
    'endpoint ep-1 is one of production, or has the host of one',
  ],
  [
    'the host of the source in other letters',
    { endpoint: { ...endpoint, host: 'EP-0.Example.' } },
    'endpoint ep-1 is one of production, or has the host of one',
  ],
  [
    'the host of one of several endpoints of the source',
    { sourceEndpoints: [without(ofSource, 'host'), { ...ofSource, host: 'EP-1.example.' }, ofSource] },
    'endpoint ep-1 is one of production, or has the host of one',
  ],
  [
    'the endpoint of the source',
    { endpoint: { ...endpoint, uid: 'ep-0' } },
    'endpoint ep-0 is one of production, or has the host of one',
  ],
  [
    'what is wrong twice, for the first reason,',
    { branch: { ...branch, isDefault: true, isProtected: true } },
    'branch pr-1 is the default branch of the project',
  ],
])('%s is refused', (_sentence, change, why) => {
  expect(prove({ ...request, ...change })).toEqual({ proved: false, why });
});

test('over random answers of the provider nothing is proved but the recorded branch at a host that no source endpoint has', () => {
  const word = fc.constantFrom('', 'br-1', 'br-2', 'production', 'pr-1', 'ep-0', 'ep-1', 'h-0', 'h-1', 'shop');
  const anEndpoint = fc.record({
    id: word,
    uid: word,
    project: word,
    branch: word,
    host: fc.option(word, { nil: undefined }),
    type: fc.constantFrom('READ_WRITE', 'READ_ONLY', 'UNKNOWN'),
    state: fc.constant('ACTIVE'),
    pending: fc.boolean(),
  });
  const aBranch = fc.record({
    id: word,
    uid: word,
    project: word,
    state: fc.constant('READY'),
    isDefault: fc.boolean(),
    isProtected: fc.boolean(),
    sourceBranch: fc.option(word, { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.record({
        recordedUid: word,
        project: word,
        source: word,
        username: word,
        branch: aBranch,
        endpoint: anEndpoint,
        sourceEndpoints: fc.array(anEndpoint, { maxLength: 3 }),
      }),
      (given) => {
        const asked = given as ProofRequest;
        const proof = prove(asked);
        if (!proof.proved) return;
        const { binding } = proof;
        expect(binding.branchUid).toBe(asked.recordedUid);
        expect(asked.branch.id).not.toBe(asked.source);
        expect(asked.endpoint.branch).toBe(asked.branch.id);
        expect(asked.branch.isDefault || asked.branch.isProtected).toBe(false);
        for (const other of asked.sourceEndpoints) expect(other.host).not.toBe(binding.host);
        expect([binding.branchUid, binding.endpointUid, binding.host, binding.username]).not.toContain('');
      },
    ),
    { numRuns: 20_000 },
  );
});
