// update_mask: which paths exist, what must be in the body for them, and which part of the body therefore counts.
// The rules were probed on the service; no request can unset a field by leaving it out.
import { Refusal } from './errors.ts';

export type Json = Record<string, unknown>;

export interface MaskRules {
  /** Paths of single values; a map is one value. */
  readonly leaves: readonly string[];
  /** A oneof is masked by the name of its group; its members are what stands in the body. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** Messages that can be masked as a whole. A bare `spec` is lenient: what is absent keeps its value. */
  readonly messages: readonly string[];
  /** Accepted, without effect. */
  readonly tolerated: readonly string[];
  /** Whether `*` is known. */
  readonly star: boolean;
}

const suspensionOf = (parent: string): readonly string[] => [
  `${parent}.suspend_timeout_duration`,
  `${parent}.no_suspension`,
];

export const branchMask: MaskRules = {
  leaves: ['spec.is_protected'],
  groups: { 'spec.expiration': ['spec.ttl', 'spec.expire_time', 'spec.no_expiry'] },
  messages: ['spec'],
  tolerated: [],
  star: true,
};

export const endpointMask: MaskRules = {
  leaves: [
    'spec.autoscaling_limit_max_cu',
    'spec.autoscaling_limit_min_cu',
    'spec.disabled',
    'spec.group.enable_readable_secondaries',
    'spec.group.max',
    'spec.group.min',
    'spec.settings.pg_settings',
  ],
  groups: { 'spec.suspension': suspensionOf('spec') },
  messages: ['spec', 'spec.settings'],
  tolerated: [],
  star: true,
};

export const projectMask: MaskRules = {
  leaves: [
    'spec.budget_policy_id',
    'spec.custom_tags',
    'spec.default_branch',
    'spec.default_endpoint_settings.autoscaling_limit_max_cu',
    'spec.default_endpoint_settings.autoscaling_limit_min_cu',
    'spec.default_endpoint_settings.pg_settings',
    'spec.display_name',
    'spec.enable_pg_native_login',
    'spec.history_retention_duration',
  ],
  groups: { 'spec.default_endpoint_settings.suspension': suspensionOf('spec.default_endpoint_settings') },
  messages: ['spec', 'spec.default_endpoint_settings'],
  tolerated: ['initial_branch_spec', 'initial_endpoint_spec'],
  star: true,
};

export const roleMask: MaskRules = {
  leaves: [
    'spec.attributes.bypassrls',
    'spec.attributes.createdb',
    'spec.attributes.createrole',
    'spec.membership_roles',
  ],
  groups: {},
  messages: ['spec', 'spec.attributes'],
  tolerated: [],
  star: false,
};

export const databaseMask: MaskRules = {
  leaves: ['spec.postgres_database', 'spec.role'],
  groups: {},
  messages: ['spec'],
  tolerated: [],
  star: false,
};

/**
 * The part of `body` that `mask` (comma-separated; absent means `spec`) selects.
 * Refuses unknown paths first, then single values that are masked but absent, then groups without a member.
 */
export function maskedBody(rules: MaskRules, mask: string | undefined, body: Json): Json {
  const paths = splitMask(mask);
  for (const path of paths) if (!isKnown(rules, path)) throw new Refusal('unknownMaskPath', { path });
  for (const path of paths.flatMap((each) => requiredLeaves(rules, each, body))) {
    if (valueAt(body, path) === undefined) throw new Refusal('maskedButAbsent', { path });
  }
  for (const group of paths.flatMap((each) => requiredGroups(rules, each))) {
    const members = rules.groups[group] ?? [];
    if (members.every((member) => valueAt(body, member) === undefined)) {
      throw new Refusal('maskedButAbsent', { path: group });
    }
  }
  return selection(body, new Set(paths.flatMap((each) => selectedPaths(rules, each))));
}

function splitMask(mask: string | undefined): string[] {
  const paths = (mask ?? '')
    .split(',')
    .map((path) => path.trim())
    .filter((path) => path !== '');
  return paths.length === 0 ? ['spec'] : paths;
}

function isKnown(rules: MaskRules, path: string): boolean {
  if (path === '*') return rules.star;
  return [rules.leaves, rules.messages, rules.tolerated, Object.keys(rules.groups)].some((known) =>
    known.includes(path),
  );
}

/** A masked value is missed only where the message around it was sent; `*` misses everything. */
function requiredLeaves(rules: MaskRules, path: string, body: Json): readonly string[] {
  if (path === '*') return rules.leaves;
  return rules.leaves.includes(path) && valueAt(body, parentOf(path)) !== undefined ? [path] : [];
}

/** A masked group needs a member, and so does the nested message that directly encloses one; a bare `spec` does not. */
function requiredGroups(rules: MaskRules, path: string): readonly string[] {
  const groups = Object.keys(rules.groups);
  if (path === '*') return groups;
  return groups.filter((group) => group === path || (path !== 'spec' && parentOf(group) === path));
}

function selectedPaths(rules: MaskRules, path: string): readonly string[] {
  const all = [...rules.leaves, ...Object.values(rules.groups).flat()];
  if (path === '*') return all;
  return rules.groups[path] ?? all.filter((each) => each === path || each.startsWith(`${path}.`));
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('.'));

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a dotted path; undefined where any part of the way is missing. */
export function valueAt(body: Json, path: string): unknown {
  let value: unknown = body;
  for (const key of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A copy of `body` with nothing but the values at `paths`. */
function selection(body: Json, paths: ReadonlySet<string>, prefix = ''): Json {
  const copy: Json = {};
  for (const [key, value] of Object.entries(body)) {
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (paths.has(path)) copy[key] = value;
    else if (isObject(value)) {
      const inner = selection(value, paths, path);
      if (Object.keys(inner).length > 0) copy[key] = inner;
    }
  }
  return copy;
}
