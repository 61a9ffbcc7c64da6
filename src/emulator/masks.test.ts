import { expect, test } from 'vitest';
import { Refusal } from './errors.ts';
import { branchMask, databaseMask, endpointMask, maskedBody, projectMask, roleMask, type MaskRules } from './masks.ts';

const refusal = (rules: MaskRules, mask: string | undefined, body: Record<string, unknown>): string => {
  try {
    maskedBody(rules, mask, body);
    return 'accepted';
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
};

const unknown = (path: string): string => `Unknown field path in update_mask: '${path}'`;
const absent = (path: string): string => `Field '${path}' is in update_mask but not provided in request`;

test.each<[string, MaskRules, string | undefined, Record<string, unknown>, string]>([
  ['a leaf that is there', branchMask, 'spec.is_protected', { spec: { is_protected: true } }, 'accepted'],
  ['a group with one member', branchMask, 'spec.expiration', { spec: { ttl: '60s' } }, 'accepted'],
  [
    'two paths',
    branchMask,
    'spec.is_protected,spec.expiration',
    { spec: { is_protected: false, no_expiry: true } },
    'accepted',
  ],
  ['a member of a oneof is no path: ttl', branchMask, 'spec.ttl', { spec: { ttl: '60s' } }, unknown('spec.ttl')],
  ['a member of a oneof is no path: expire_time', branchMask, 'spec.expire_time', {}, unknown('spec.expire_time')],
  ['a member of a oneof is no path: no_expiry', branchMask, 'spec.no_expiry', {}, unknown('spec.no_expiry')],
  ['a member of a oneof is no path: suspension', endpointMask, 'spec.no_suspension', {}, unknown('spec.no_suspension')],
  ['an unknown path comes before an absent one', branchMask, 'spec.expiration,spec.x', {}, unknown('spec.x')],
  ['a leaf without a value', branchMask, 'spec.is_protected', { spec: {} }, absent('spec.is_protected')],
  ['a leaf whose parent was not sent changes nothing', branchMask, 'spec.is_protected', {}, 'accepted'],
  [
    'a group without a member',
    branchMask,
    'spec.expiration',
    { spec: { is_protected: true } },
    absent('spec.expiration'),
  ],
  ['a group in an empty body', branchMask, 'spec.expiration', {}, absent('spec.expiration')],
  ['a star needs every leaf', branchMask, '*', { spec: { ttl: '60s' } }, absent('spec.is_protected')],
  ['a star needs every group', branchMask, '*', { spec: { is_protected: true } }, absent('spec.expiration')],
  ['a star with everything', branchMask, '*', { spec: { is_protected: true, ttl: '60s' } }, 'accepted'],
  ['a role knows no star', roleMask, '*', {}, unknown('*')],
  ['a database knows no star', databaseMask, '*', {}, unknown('*')],
  ['a bare spec is lenient', endpointMask, 'spec', { spec: {} }, 'accepted'],
  ['no mask is a bare spec', endpointMask, undefined, {}, 'accepted'],
  [
    'pg_settings is masked as a whole',
    endpointMask,
    'spec.settings.pg_settings.work_mem',
    {},
    unknown('spec.settings.pg_settings.work_mem'),
  ],
  ['a group of computes by leaf', endpointMask, 'spec.group.min', { spec: { group: { min: 1 } } }, 'accepted'],
  ['a group of computes as a whole', endpointMask, 'spec.group', {}, unknown('spec.group')],
  [
    'a message around a oneof needs a member',
    projectMask,
    'spec.default_endpoint_settings',
    { spec: { default_endpoint_settings: { autoscaling_limit_min_cu: 1 } } },
    absent('spec.default_endpoint_settings.suspension'),
  ],
  [
    'a message around a oneof with a member',
    projectMask,
    'spec.default_endpoint_settings',
    { spec: { default_endpoint_settings: { no_suspension: true } } },
    'accepted',
  ],
  ['what only matters on create is tolerated', projectMask, 'initial_endpoint_spec', {}, 'accepted'],
  [
    'what cannot change: postgres_role',
    roleMask,
    'spec.postgres_role',
    { spec: { postgres_role: 'x' } },
    unknown('spec.postgres_role'),
  ],
  ['what cannot change: auth_method', roleMask, 'spec.auth_method', {}, unknown('spec.auth_method')],
])('%s', (_, rules, mask, body, expected) => {
  expect(refusal(rules, mask, body)).toBe(expected);
});

test.each<[string, MaskRules, string | undefined, Record<string, unknown>, Record<string, unknown>]>([
  [
    'only what is masked counts',
    branchMask,
    'spec.is_protected',
    { name: 'x', spec: { is_protected: true, ttl: '60s' } },
    { spec: { is_protected: true } },
  ],
  [
    'a group brings its member',
    branchMask,
    'spec.expiration',
    { spec: { is_protected: true, ttl: '60s' } },
    { spec: { ttl: '60s' } },
  ],
  [
    'a bare spec brings what is known',
    branchMask,
    'spec',
    { spec: { is_protected: true, ttl: '60s', source_branch: 'x' } },
    { spec: { is_protected: true, ttl: '60s' } },
  ],
  [
    'leaves of attributes one by one',
    roleMask,
    'spec.attributes.createdb',
    { spec: { attributes: { createdb: true, createrole: true } } },
    { spec: { attributes: { createdb: true } } },
  ],
  [
    'a map as a whole',
    endpointMask,
    'spec.settings',
    { spec: { settings: { pg_settings: { a: '1', b: '2' } } } },
    { spec: { settings: { pg_settings: { a: '1', b: '2' } } } },
  ],
])('%s', (_, rules, mask, body, expected) => {
  expect(maskedBody(rules, mask, body)).toEqual(expected);
});
