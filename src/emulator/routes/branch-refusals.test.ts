// Every refusal of a branch with its status, code and words.
import { expect, test } from 'vitest';
import { aBench, aBranch, given, refusalOf, type RefusalRow } from '../../../test/fakes/emulator-caller.ts';

const branches = 'projects/shop/branches';
const dev = `${branches}/dev`;
const id = '^[a-z][a-z0-9-]{0,62}$';

test.each<RefusalRow>([
  [
    'a branch needs an id',
    'nothing',
    `POST ${branches}`,
    aBranch,
    `400 INVALID_PARAMETER_VALUE Field 'branch_id' is required, expected non-default value (not "")!`,
  ],
  [
    'a branch id has a pattern',
    'nothing',
    `POST ${branches}?branch_id=Dev_1`,
    aBranch,
    `400 INVALID_PARAMETER_VALUE Field branch_id must match pattern ${id}, got 'Dev_1'.`,
  ],
  [
    'a branch needs an expiration',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: {} },
    '400 INVALID_PARAMETER_VALUE Expiration must be specified when creating a branch',
  ],
  [
    'no_expiry cannot be false',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: { no_expiry: false } },
    "400 INVALID_PARAMETER_VALUE Invalid 'no_expiry' value: must be true to disable expiration. Provide 'ttl' or 'expire_time' instead.",
  ],
  [
    'only one expiration',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: { no_expiry: true, ttl: '60s' } },
    "400 INVALID_PARAMETER_VALUE Only one of 'ttl', 'expire_time' and 'no_expiry' can be set.",
  ],
  [
    'thirty days at most',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: { ttl: '2592001s' } },
    '400 INVALID_PARAMETER_VALUE expiration time exceeds the maximum expiration time',
  ],
  [
    'an expiry lies ahead',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: { expire_time: '2026-10-05T11:59:59Z' } },
    '400 INVALID_PARAMETER_VALUE expiration time must be in the future',
  ],
  [
    'hours are no duration',
    'nothing',
    `POST ${branches}?branch_id=dev`,
    { spec: { ttl: '720h' } },
    `400 INVALID_PARAMETER_VALUE Invalid value for field 'ttl': "720h" is not a duration in seconds such as "3600s"`,
  ],
  [
    'the id is taken',
    'dev',
    `POST ${branches}?branch_id=dev`,
    aBranch,
    '400 BAD_REQUEST branch already exists; branch_name:"dev"',
  ],
  [
    'an expiring branch has no children',
    'dev',
    `POST ${branches}?branch_id=b`,
    { spec: { ttl: '60s', source_branch: dev } },
    '400 BAD_REQUEST Branches with an expiration date cannot have child branches',
  ],
  [
    'a source of another project',
    'nothing',
    `POST ${branches}?branch_id=b`,
    { spec: { ttl: '60s', source_branch: 'projects/x/branches/y' } },
    '400 BAD_REQUEST source_branch field must point to the branch from the same Project',
  ],
  [
    'a source that is not there',
    'nothing',
    `POST ${branches}?branch_id=b`,
    { spec: { ttl: '60s', source_branch: `${branches}/nope` } },
    '404 NOT_FOUND branch id not found',
  ],
  [
    'a source named by something inherited',
    'nothing',
    `POST ${branches}?branch_id=b`,
    { spec: { ttl: '60s', source_branch: `${branches}/constructor` } },
    '404 NOT_FOUND branch id not found',
  ],
  [
    'a protected branch does not expire',
    'nothing',
    `POST ${branches}?branch_id=b`,
    { spec: { ttl: '60s', is_protected: true } },
    '400 BAD_REQUEST Protected branches cannot have an expiration date',
  ],
  [
    'one protected branch',
    'protectedDev',
    `POST ${branches}?branch_id=b`,
    { spec: { no_expiry: true, is_protected: true } },
    '400 BAD_REQUEST The project has reached the limit of 1 protected branches',
  ],
  ['no such project', 'nothing', 'GET projects/nope/branches', undefined, '404 NOT_FOUND project id not found'],
  ['no such branch', 'nothing', `GET ${branches}/nope`, undefined, '404 NOT_FOUND branch id not found'],
  [
    'nothing inherited is a branch',
    'nothing',
    `GET ${branches}/toString`,
    undefined,
    '404 NOT_FOUND branch id not found',
  ],
  [
    'the root stays',
    'nothing',
    `DELETE ${branches}/production`,
    undefined,
    `400 BAD_REQUEST Cannot delete root branch '${branches}/production'. Root branches cannot be deleted independently.`,
  ],
  [
    'a protected branch stays',
    'protectedDev',
    `DELETE ${dev}`,
    undefined,
    '400 BAD_REQUEST cannot delete protected branch',
  ],
  [
    'the default branch stays',
    'defaultDev',
    `DELETE ${dev}`,
    undefined,
    '400 BAD_REQUEST cannot delete the default branch',
  ],
  [
    'a parent stays',
    'parent',
    `DELETE ${dev}`,
    undefined,
    '400 BAD_REQUEST cannot delete branch that has child branches',
  ],
  [
    'a parent does not expire',
    'parent',
    `PATCH ${dev}?update_mask=spec.expiration`,
    { spec: { ttl: '7200s' } },
    '400 BAD_REQUEST Branches with children cannot have an expiration date',
  ],
  [
    'the default branch does not expire',
    'nothing',
    `PATCH ${branches}/production?update_mask=spec.expiration`,
    { spec: { ttl: '7200s' } },
    '400 BAD_REQUEST The default branch cannot have an expiration date',
  ],
  [
    'an expiring branch is not protected',
    'dev',
    `PATCH ${dev}?update_mask=spec.is_protected`,
    { spec: { is_protected: true } },
    '400 BAD_REQUEST Protected branches cannot have an expiration date',
  ],
  [
    'a mask of a oneof member',
    'dev',
    `PATCH ${dev}?update_mask=spec.ttl`,
    { spec: { ttl: '60s' } },
    "400 INVALID_PARAMETER_VALUE Unknown field path in update_mask: 'spec.ttl'",
  ],
  ['what was never deleted', 'dev', `POST ${dev}/undelete`, {}, '400 BAD_REQUEST resource is not deleted'],
])('refused: %s', async (_, there, request, body, refusal) => {
  const bench = await aBench();
  await given[there](bench);
  expect(await refusalOf(bench, request, body)).toBe(refusal);
});

test('what belongs to its parent says so in the details, everything else has none', async () => {
  const { send } = await aBench();
  const { body } = await send('DELETE', `${branches}/production`);
  expect(body['details']).toEqual([
    {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: 'RESOURCE_CONFLICT',
      domain: 'databricks.com',
      metadata: { declarative_context: 'MANAGED_BY_PARENT' },
    },
    {
      '@type': 'type.googleapis.com/google.rpc.RequestInfo',
      request_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      serving_data: '',
    },
  ]);
  expect((await send('GET', `${branches}/nope`)).body['details']).toEqual([]);
});

test('every refusal can be given another status, code and text', async () => {
  const bench = await aBench();
  await given.dev(bench);
  const variant = { status: 409, code: 'ALREADY_EXISTS', message: 'branch with such id already exists' };
  bench.emulator.faults.set({ variants: { branchExists: variant } });
  expect(await refusalOf(bench, `POST ${branches}?branch_id=dev`, aBranch)).toBe(
    '409 ALREADY_EXISTS branch with such id already exists',
  );
});

test.each([
  ['no JSON', '{', 'Could not parse request object: the body is not JSON'],
  ['a list', '[]', 'Could not parse request object: the body is not a JSON object'],
])('a body that is %s', async (_, body, message) => {
  const { emulator } = await aBench({
    settings: { principals: [{ kind: 'USER', name: 'a@example.com', secret: 'dapi1' }] },
  });
  const headers = { Authorization: 'Bearer dapi1' };
  const answer = await emulator.handle({ method: 'POST', url: '/api/2.0/postgres/credentials', headers, body });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({ error_code: 'MALFORMED_REQUEST' });
  expect(answer.body).toContain(message);
});
