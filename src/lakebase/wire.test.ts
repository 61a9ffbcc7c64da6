import { describe, expect, test } from 'vitest';
import type { LakebaseError } from './errors.ts';
import {
  accessTokenFrom,
  branchFrom,
  credentialFrom,
  endpointFrom,
  jsonFrom,
  operationFrom,
  pageFrom,
  projectFrom,
  roleFrom,
  tokenEndpointFrom,
} from './wire.ts';

const unshifted = (instant: Date): Date => instant;
const hourEarlier = (instant: Date): Date => new Date(instant.getTime() - 3_600_000);

const branch = {
  name: 'projects/shop/branches/pr-1',
  branch_id: 'pr-1',
  uid: 'br-tall-leaf-1',
  parent: 'projects/shop',
  create_time: '2026-03-01T12:00:00Z',
  update_time: '2026-03-01T12:00:00Z',
  status: {
    branch_id: 'pr-1',
    current_state: 'READY',
    default: false,
    is_protected: false,
    source_branch: 'projects/shop/branches/production',
    source_branch_lsn: '0/1A2B3C',
    source_branch_time: '2026-03-01T11:59:58.25Z',
    expire_time: '2026-03-03T12:00:00Z',
    state_change_time: '2026-03-01T12:00:03Z',
    logical_size_bytes: '9007199254740993',
  },
};

const endpoint = {
  name: 'projects/shop/branches/pr-1/endpoints/primary',
  uid: 'ep-1',
  parent: 'projects/shop/branches/pr-1',
  status: {
    endpoint_type: 'ENDPOINT_TYPE_READ_WRITE',
    current_state: 'IDLE',
    hosts: { host: 'ep-1.database.example', read_write_pooled_host: 'ep-1-pooler.database.example' },
    autoscaling_limit_min_cu: 0.5,
    autoscaling_limit_max_cu: 2,
    suspend_timeout_duration: '300s',
  },
};

const role = { name: 'projects/shop/branches/pr-1/roles/sp-1', status: { postgres_role: 'app' } };

describe('a branch', () => {
  test('is read whole', () => {
    expect(branchFrom(branch, unshifted)).toEqual({
      id: 'pr-1',
      uid: 'br-tall-leaf-1',
      project: 'shop',
      state: 'READY',
      isDefault: false,
      isProtected: false,
      sourceBranch: 'production',
      sourceTime: new Date('2026-03-01T11:59:58.250Z'),
      sourceLsn: '0/1A2B3C',
      expireTime: new Date('2026-03-03T12:00:00Z'),
      createTime: new Date('2026-03-01T12:00:00Z'),
    });
  });

  test('every instant is shifted but that of the source, which people read off the database', () => {
    const shiftedBranch = branchFrom({ ...branch, delete_time: '2026-03-02T12:00:00Z' }, hourEarlier);
    expect(shiftedBranch).toMatchObject({
      sourceTime: new Date('2026-03-01T11:59:58.250Z'),
      expireTime: new Date('2026-03-03T11:00:00Z'),
      createTime: new Date('2026-03-01T11:00:00Z'),
      deleteTime: new Date('2026-03-02T11:00:00Z'),
    });
  });

  test.each([
    ['2026-03-01T11:59:58.250000001Z', '2026-03-01T11:59:58.251Z'],
    ['2026-03-01T11:59:59.9999Z', '2026-03-01T12:00:00.000Z'],
    ['2026-03-01T11:59:58.250000Z', '2026-03-01T11:59:58.250Z'],
    ['2026-03-01T11:59:58.25Z', '2026-03-01T11:59:58.250Z'],
    ['2026-03-01T13:59:58.2504+02:00', '2026-03-01T11:59:58.251Z'],
  ])('the instant of the source is never told earlier than it is: %s', (source_branch_time, expected) => {
    const read = branchFrom({ ...branch, status: { ...branch.status, source_branch_time } }, unshifted);
    expect(read.sourceTime).toEqual(new Date(expected));
  });

  test.each([
    ['a state nobody has heard of', { current_state: 'HIBERNATING' }, { state: 'UNKNOWN' }],
    ['no state', { current_state: undefined }, { state: 'UNKNOWN' }],
    [
      'a flag that is left out is false',
      { default: undefined, is_protected: null },
      { isDefault: false, isProtected: false },
    ],
    ['a default branch', { default: true }, { isDefault: true }],
    ['a protected branch', { is_protected: true }, { isProtected: true }],
    [
      'deleted',
      { current_state: 'DELETED', delete_time: '2026-03-02T12:00:00Z' },
      { state: 'DELETED', deleteTime: new Date('2026-03-02T12:00:00Z') },
    ],
  ])('%s', (_, status, model) => {
    expect(branchFrom({ ...branch, status: { ...branch.status, ...status } }, unshifted)).toMatchObject(model);
  });

  test.each(['source_branch', 'source_branch_lsn', 'source_branch_time', 'expire_time'])('%s may be null', (field) => {
    const lean = branchFrom({ ...branch, status: { ...branch.status, [field]: null } }, unshifted);
    expect(Object.values(lean)).not.toContain(undefined);
    expect(Object.keys(lean)).toHaveLength(Object.keys(branchFrom(branch, unshifted)).length - 1);
  });

  test('without a status nothing is known of it', () => {
    expect(branchFrom({ name: branch.name, uid: branch.uid }, unshifted)).toEqual({
      id: 'pr-1',
      uid: 'br-tall-leaf-1',
      project: 'shop',
      state: 'UNKNOWN',
      isDefault: false,
      isProtected: false,
    });
  });

  test('what it says of its parent counts more than its own name', () => {
    expect(branchFrom({ ...branch, parent: 'projects/other' }, unshifted).project).toBe('other');
  });

  test.each([
    ['name', { ...branch, name: 'branches/pr-1' }],
    ['name', { ...branch, name: undefined }],
    ['uid', { ...branch, uid: '' }],
    ['uid', { ...branch, uid: 7 }],
    ['status.expire_time', { ...branch, status: { ...branch.status, expire_time: 'tomorrow-sesame' } }],
    ['status.expire_time', { ...branch, status: { ...branch.status, expire_time: '2026-13-01T00:00:00Z' } }],
    ['status.default', { ...branch, status: { ...branch.status, default: 'sesame' } }],
    ['status', { ...branch, status: 'sesame' }],
  ])('an unusable %s is named, and its value is not', (field, json) => {
    expect(() => branchFrom(json, unshifted)).toThrow(
      expect.objectContaining({ code: 'unavailable', message: `the answer has no usable field ${field}` }),
    );
  });

  test.each([null, 'branch', 7, []])('%j is no branch', (json) => {
    expect(() => branchFrom(json, unshifted)).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });
});

describe('instants', () => {
  test.each([
    ['2026-03-01T12:00:00Z', '2026-03-01T12:00:00.000Z'],
    ['2026-03-01T12:00:00.5Z', '2026-03-01T12:00:00.500Z'],
    ['2026-03-01T12:00:00.123456Z', '2026-03-01T12:00:00.123Z'],
    ['2026-03-01T12:00:00.999999999Z', '2026-03-01T12:00:00.999Z'],
    ['2026-03-01T13:30:00+01:30', '2026-03-01T12:00:00.000Z'],
    ['2026-03-01t12:00:00z', '2026-03-01T12:00:00.000Z'],
  ])('%s', (written, meant) => {
    expect(branchFrom({ ...branch, create_time: written }, unshifted).createTime?.toISOString()).toBe(meant);
  });

  test.each(['2026-03-01T12:00:00', '2026-03-01', '1772366400', 1772366400, '2026-03-01T12:00:00.0123456789Z'])(
    '%j is none',
    (written) => {
      expect(() => branchFrom({ ...branch, create_time: written }, unshifted)).toThrow('create_time');
    },
  );
});

describe('an endpoint', () => {
  test('is read whole', () => {
    expect(endpointFrom(endpoint)).toEqual({
      id: 'primary',
      uid: 'ep-1',
      project: 'shop',
      branch: 'pr-1',
      type: 'READ_WRITE',
      state: 'IDLE',
      pending: false,
      host: 'ep-1.database.example',
      minCU: 0.5,
      maxCU: 2,
      suspendAfterSeconds: 300,
    });
  });

  test.each([
    ['a read-only one', { endpoint_type: 'ENDPOINT_TYPE_READ_ONLY' }, { type: 'READ_ONLY' }],
    ['a type nobody has heard of', { endpoint_type: 'ENDPOINT_TYPE_MIRROR' }, { type: 'UNKNOWN' }],
    ['no type', { endpoint_type: undefined }, { type: 'UNKNOWN' }],
    ['a state nobody has heard of', { current_state: 'DREAMING' }, { state: 'UNKNOWN' }],
    ['still changing', { pending_state: 'ACTIVE' }, { pending: true }],
    ['done changing', { pending_state: 'STATE_UNSPECIFIED' }, { pending: false }],
    [
      'numbers as strings',
      { autoscaling_limit_min_cu: '0.5', autoscaling_limit_max_cu: '8' },
      { minCU: 0.5, maxCU: 8 },
    ],
    ['a fraction of a second', { suspend_timeout_duration: '60.5s' }, { suspendAfterSeconds: 60.5 }],
  ])('%s', (_, status, model) => {
    expect(endpointFrom({ ...endpoint, status: { ...endpoint.status, ...status } })).toMatchObject(model);
  });

  test.each([
    ['hosts that are not there yet', { hosts: undefined }, 'host'],
    ['an empty host', { hosts: { host: '' } }, 'host'],
    ['never asleep', { no_suspension: true }, 'suspendAfterSeconds'],
    ['never asleep, told by silence', { suspend_timeout_duration: undefined }, 'suspendAfterSeconds'],
  ])('%s: the field is absent', (_, status, field) => {
    expect(endpointFrom({ ...endpoint, status: { ...endpoint.status, ...status } })).not.toHaveProperty(field);
  });

  test('serves the branch that it names as its parent', () => {
    expect(endpointFrom({ ...endpoint, parent: 'projects/shop/branches/other' }).branch).toBe('other');
  });

  test.each(['5m', '300', 300, '-1s'])('%j is no duration', (written) => {
    const json = { ...endpoint, status: { ...endpoint.status, suspend_timeout_duration: written } };
    expect(() => endpointFrom(json)).toThrow('status.suspend_timeout_duration');
  });
});

describe('the rest of the model', () => {
  test('a role', () => {
    const status = {
      role_id: 'sp-1',
      postgres_role: 'c0ffee00-0000-4000-8000-000000000001',
      identity_type: 'SERVICE_PRINCIPAL',
      auth_method: 'LAKEBASE_OAUTH_V1',
      membership_roles: ['DATABRICKS_SUPERUSER', 'SOMETHING_NEW'],
      attributes: { createdb: false },
    };
    expect(roleFrom({ ...role, status })).toEqual({
      id: 'sp-1',
      postgresRole: 'c0ffee00-0000-4000-8000-000000000001',
      identityType: 'SERVICE_PRINCIPAL',
      authMethod: 'LAKEBASE_OAUTH_V1',
      membershipRoles: ['DATABRICKS_SUPERUSER', 'SOMETHING_NEW'],
    });
  });

  test('a role of which little is said', () => {
    expect(roleFrom(role)).toEqual({
      id: 'sp-1',
      postgresRole: 'app',
      identityType: '',
      authMethod: '',
      membershipRoles: [],
    });
  });

  test('a project', () => {
    const status = {
      default_branch: 'projects/shop/branches/production',
      history_retention_duration: '604800s',
      pg_version: '17',
      branch_logical_size_limit_bytes: 8796093022208,
    };
    expect(projectFrom({ name: 'projects/shop', uid: 'u', status })).toEqual({
      id: 'shop',
      defaultBranch: 'production',
      historyRetentionSeconds: 604_800,
      pgVersion: 17,
    });
    expect(projectFrom({ name: 'projects/shop' })).toEqual({ id: 'shop' });
  });

  test.each([
    ['under way', { done: false, metadata: {} }, { done: false }],
    ['under way, told by silence', {}, { done: false }],
    [
      'done',
      { done: true, response: { '@type': 'type.googleapis.com/google.protobuf.Empty' }, error: null },
      { done: true },
    ],
    [
      'failed',
      { done: true, error: { error_code: 'ABORTED', message: 'no luck [TraceId: 0af7651916cd43dd8448eb211c80319c]' } },
      { done: true, error: 'no luck' },
    ],
    ['failed with a code only', { done: true, error: { error_code: 'ABORTED' } }, { done: true, error: 'ABORTED' }],
    ['failed without a word', { done: true, error: {} }, { done: true, error: 'failed without a reason' }],
  ])('an operation that is %s', (_, json, model) => {
    const name = 'projects/shop/branches/pr-1/operations/1';
    expect(operationFrom({ name, ...json })).toEqual({ name, ...model });
  });

  test('a credential, whose token cannot be printed', () => {
    const credential = credentialFrom({ token: 'eyJ.sesame', expire_time: '2026-03-01T13:00:00Z' }, hourEarlier);
    expect(credential.token.reveal()).toBe('eyJ.sesame');
    expect(credential.expireTime).toEqual(new Date('2026-03-01T12:00:00Z'));
    expect(JSON.stringify(credential)).not.toContain('sesame');
  });

  test.each([
    ['token', { expire_time: '2026-03-01T13:00:00Z' }],
    ['expire_time', { token: 'sesame' }],
  ])('a credential without %s is none', (field, json) => {
    expect(() => credentialFrom(json, unshifted)).toThrow(`no usable field ${field}`);
  });

  test.each([
    ['a number', 3600, 3600],
    ['a string', '3600', 3600],
    ['silence is taken for a short life', undefined, 300],
    ['so is nonsense', 'an hour', 300],
  ])('expires_in: %s', (_, expires_in, lifeSeconds) => {
    expect(accessTokenFrom({ access_token: 'sesame', token_type: 'Bearer', expires_in }).lifeSeconds).toBe(lifeSeconds);
  });

  test('a discovery document', () => {
    const token_endpoint = 'https://dbc.example/oidc/v1/token';
    expect(tokenEndpointFrom({ token_endpoint, issuer: 'x' })).toBe(token_endpoint);
    expect(() => tokenEndpointFrom({ token_endpoint: '/oidc/v1/token' })).toThrow('no usable field token_endpoint');
  });

  test.each([
    ['the last page', { branches: [1, 2] }, { items: [1, 2], next: undefined }],
    ['an empty token ends the list', { branches: [1], next_page_token: '' }, { items: [1], next: undefined }],
    ['more to come', { branches: [1], next_page_token: 'p2' }, { items: [1], next: 'p2' }],
    ['nothing', {}, { items: [], next: undefined }],
    ['nothing, told by null', { branches: null }, { items: [], next: undefined }],
  ])('a page: %s', (_, json, page) => {
    expect(pageFrom(json, 'branches')).toEqual(page);
  });

  test('a page whose list is no list', () => {
    expect(() => pageFrom({ branches: {} }, 'branches')).toThrow('no usable field branches');
  });

  test.each(['', '<html>', '{"token":"sesame"'])('%j is not JSON, and is not quoted', (body) => {
    let error: unknown;
    try {
      jsonFrom(body);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'unavailable', message: 'the answer is not JSON' });
    expect((error as LakebaseError).cause).toBeUndefined();
  });
});
