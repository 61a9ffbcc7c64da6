// What the object asks for, with the class's defaults filled in and its limits checked. Pure.
import { createHash } from 'node:crypto';
import type { BranchClass } from '../../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { formatDuration, parseDuration } from '../../api/duration.ts';
import { secretKeys } from '../../api/names.ts';
import { sourceAllowed } from '../../api/pattern.ts';
import { Reason } from '../../api/v1alpha1/reasons.ts';
import type { SecretShape } from '../../credentials/secret.ts';
import { fillTemplate, TemplateError } from '../../credentials/template.ts';
import { branchId, parseBranchId } from '../../lakebase/ids.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import { pastOf, type Past } from './past.ts';

/** Something that a person must change before the object can have what it asks for. */
export interface Problem {
  readonly reason: Reason;
  readonly message: string;
  /** It ends by itself. */
  readonly passes?: boolean;
}

export interface Wish {
  /** Id of the branch that this object wants: a function of the object alone. */
  readonly branchId: string;
  readonly resetToken: string;
  /** `Replace`: the served branch goes before the next one is made. */
  readonly strategy: 'Switch' | 'Replace';
  /** How long the branch that was served before stays after a reset. */
  readonly drainMs: number;
  readonly project: string;
  readonly source: string;
  /** Patterns of which any source will do, because the object names none. */
  readonly sourcePatterns: readonly string[];
  /** The source as it was; absent: as it is when the branch is made. */
  readonly past: Past | undefined;
  /**
   * `leased`: the provider removes the branch unless its lease is extended. `retained`: it knows the end from the start.
   * `unleased`: only the operator ends it.
   */
  readonly life: 'leased' | 'retained' | 'unleased';
  /** Of the project, as last seen. */
  readonly historyRetentionMs: number | undefined;
  readonly expiration: Expiration;
  /** Instants at which people are warned that the end is near, in order. */
  readonly warnings: readonly Date[];
  readonly leaseMs: number;
  readonly size: EndpointSize;
  readonly secretName: string;
  readonly shape: SecretShape;
  readonly rotateToken: string;
  readonly tokenTTLSeconds: number;
  readonly roleOnBranch: boolean;
  readonly membershipRoles: readonly string[];
  readonly verifyLogin: boolean;
}

/** When the branch ends. Pinned in status, so that an edit of the class neither shortens, kills nor revives. */
export interface Expiration {
  /** Absent: never. */
  readonly expireTime?: Date;
  /** Hash of `spec.expiration` that the instant was computed from; absent: the class refuses it, and nothing is pinned. */
  readonly pinnedFrom?: string;
  /** The status had forgotten when the branch ends, and as the class is now it would have ended already. */
  readonly reprieved?: true;
}

export interface Wished {
  readonly wish: Wish;
  /** The first complaint is the one to show. They forbid a create; what is served already goes on. */
  readonly problems: readonly Problem[];
}

export interface WishContext {
  readonly clusterID: string;
  /** PEM of the private CA of the class, which the Secret then holds too. */
  readonly ca?: string | undefined;
  readonly now: Date;
  /** The object's branch is served, whatever the status remembers. */
  readonly hasSecret: boolean;
  /** What the reference to another DatabaseBranch leads to, where the source is one. */
  readonly referred?: Referred | undefined;
}

/** A `databaseBranchRef` followed. */
export type Referred = { readonly branchId: string } | { readonly problem: Problem };

export function wishOf(
  object: DatabaseBranch,
  bclass: BranchClass,
  { clusterID, ca, now, hasSecret, referred }: WishContext,
): Wished {
  const { metadata, spec } = object;
  const { name, namespace = '', uid = '' } = metadata;
  const { provider, login } = bclass.spec;
  const reset = resetOf(spec);
  const source = sourceOf(object, bclass, referred);
  const expiration = expirationOf(object, bclass, hasSecret ? now : undefined);
  const template = checkedTemplate(shapeOf(object, bclass, ca));
  const size = sizeOf(object, bclass);
  const wish: Wish = {
    branchId: branchId({ clusterID, namespace, name, uid, resetToken: reset.resetToken }),
    ...reset,
    project: provider.project,
    source,
    sourcePatterns: spec.source === undefined ? bclass.spec.sources.allow : [],
    past: pastOf(spec),
    life: lifeOf(spec),
    historyRetentionMs: retentionOf(bclass),
    expiration: expiration.value,
    warnings: warningsOf(expiration.value.expireTime, createdMs(object)),
    leaseMs: parseDuration(bclass.spec.expiration.lease),
    size,
    secretName: secretNameOf(object),
    shape: template.shape,
    rotateToken: spec.credentials.rotateToken ?? '',
    tokenTTLSeconds: parseDuration(spec.credentials.tokenTTL) / 1000,
    roleOnBranch: login.role !== 'Inherited' && login.sameAsProvider !== true,
    membershipRoles: login.membershipRoles,
    verifyLogin: spec.verify?.login !== 'Never',
  };
  const problems = [
    ...(referred && 'problem' in referred ? [referred.problem] : []),
    ...(referred ? [] : sourceProblems(source, bclass)),
    ...expiration.problems,
    ...sizeProblems(size, bclass),
    ...template.problems,
  ];
  return { wish, problems };
}

function resetOf({ reset }: DatabaseBranch['spec']): Pick<Wish, 'resetToken' | 'strategy' | 'drainMs'> {
  const { token = '', strategy = 'Switch', drain = '5m' } = reset ?? {};
  return { resetToken: token, strategy, drainMs: parseDuration(drain) };
}

function lifeOf({ deletionPolicy, children, expiration }: DatabaseBranch['spec']): Wish['life'] {
  if (expiration?.never || children === 'Allow') return 'unleased';
  return deletionPolicy === 'Retain' ? 'retained' : 'leased';
}

const retentionOf = ({ status }: BranchClass): number | undefined =>
  status?.historyRetention === undefined ? undefined : parseDuration(status.historyRetention);

/** An object whose branch is on record keeps its source until a reset, though the default of the class has changed. */
function sourceOf({ spec, status }: DatabaseBranch, bclass: BranchClass, referred: Referred | undefined): string {
  if (referred) return 'branchId' in referred ? referred.branchId : '';
  return spec.source?.branch ?? recordedSource(status?.branch, spec) ?? bclass.spec.sources.default ?? '';
}

type Served = NonNullable<NonNullable<DatabaseBranch['status']>['branch']>;

const recordedSource = (branch: Served | undefined, spec: DatabaseBranch['spec']): string | undefined =>
  branch?.resetToken === resetOf(spec).resetToken ? branch.source?.branch : undefined;

/** Whether a branch made from this source is what was asked for: its source may be known by more than one name. */
export function mayComeFrom({ source, sourcePatterns }: Wish, id: string | undefined): boolean {
  if (id === undefined) return false;
  return id === source || sameObject(id, source) || sourceAllowed(sourcePatterns, id);
}

/** Branches of one object: a reference to an object holds while its own branch is reset. */
function sameObject(a: string, b: string): boolean {
  const [tag, other] = [parseBranchId(a)?.tag, parseBranchId(b)?.tag];
  return tag !== undefined && tag === other;
}

function shapeOf({ spec }: DatabaseBranch, bclass: BranchClass, ca: string | undefined): SecretShape {
  const { database, template } = spec.credentials;
  const { data = {}, labels = {}, annotations = {} } = template ?? {};
  const { port } = bclass.spec.provider;
  const certificates = ca === undefined ? {} : { certificates: ca };
  return { database, port, ...certificates, template: { data, labels, annotations } };
}

export const secretNameOf = (object: DatabaseBranch): string =>
  object.spec.credentials.secretName ?? object.metadata.name;

function sourceProblems(source: string, bclass: BranchClass): Problem[] {
  const { allow } = bclass.spec.sources;
  if (source === '') {
    return [
      {
        reason: Reason.SourceNotAllowed,
        message: `class ${bclass.metadata.name} has no default source: set spec.source.branch to one of ${allow.join(', ')}`,
      },
    ];
  }
  if (sourceAllowed(allow, source)) return [];
  return [
    {
      reason: Reason.SourceNotAllowed,
      message: `class ${bclass.metadata.name} does not allow source ${source}: use one of ${allow.join(', ')}, or ask the platform team to add it to spec.sources.allow`,
    },
  ];
}

interface ExpirationSeen {
  readonly value: Expiration;
  readonly problems: readonly Problem[];
}

/** `lostAt`: now, if the branch is served although the status does not remember its expiration. */
function expirationOf(object: DatabaseBranch, bclass: BranchClass, lostAt: Date | undefined): ExpirationSeen {
  const asked = object.spec.expiration;
  const pinnedFrom = hashOf(asked);
  const pinned = object.status?.expiration;
  if (pinned?.pinnedFrom === pinnedFrom) return { value: pinnedValue(pinnedFrom, pinned.expireTime), problems: [] };
  const limits = bclass.spec.expiration;
  if (!asked?.never) return limitedLife(object, bclass, pinnedFrom, pinned ? undefined : lostAt);
  if (limits.allowNever) return { value: { pinnedFrom }, problems: [] };
  return beforeEdit(object, {
    reason: Reason.NeverExpireNotAllowed,
    message: `class ${bclass.metadata.name} does not allow expiration.never: write expiration.ttl, at most ${limits.max}`,
  });
}

function limitedLife(
  object: DatabaseBranch,
  bclass: BranchClass,
  pinnedFrom: string,
  lostAt: Date | undefined,
): ExpirationSeen {
  const { ttl, at } = object.spec.expiration ?? {};
  const { max, default: defaultLife } = bclass.spec.expiration;
  const created = createdMs(object);
  const expireTime = at ? new Date(at) : new Date(created + parseDuration(ttl ?? defaultLife));
  const value = { expireTime, pinnedFrom };
  if (!ttl && !at && lostAt && expireTime <= lostAt) return { value: reprieve(lostAt, pinnedFrom), problems: [] };
  // A branch that is served was within the maximum once, and its own words still say when it ends.
  if (lostAt || expireTime.getTime() <= created + parseDuration(max)) return { value, problems: [] };
  return beforeEdit(object, {
    reason: Reason.ExpirationExceedsMaximum,
    message: `the branch would live for ${formatDuration(expireTime.getTime() - created)}, class ${bclass.metadata.name} allows ${max}: shorten spec.expiration`,
  });
}

/** A day and an hour before the end, as far as the object lives longer than that. */
function warningsOf(expireTime: Date | undefined, createdAtMs: number): Date[] {
  if (!expireTime) return [];
  const lifeMs = expireTime.getTime() - createdAtMs;
  return [24, 1].filter((h) => lifeMs > h * 3_600_000).map((h) => new Date(expireTime.getTime() - h * 3_600_000));
}

/** A default that the class has shortened meanwhile must not end at once what lost its status: a day's notice. */
const reprieve = (now: Date, pinnedFrom: string): Expiration => ({
  expireTime: new Date(now.getTime() + 24 * 3_600_000),
  pinnedFrom,
  reprieved: true,
});

// An expiration that the class refuses changes nothing for a branch that is served: the one pinned before holds.
function beforeEdit(object: DatabaseBranch, problem: Problem): ExpirationSeen {
  const pinned = object.status?.expiration;
  const value = pinned?.pinnedFrom ? pinnedValue(pinned.pinnedFrom, pinned.expireTime) : {};
  return { value, problems: [problem] };
}

const createdMs = ({ metadata }: DatabaseBranch): number => new Date(metadata.creationTimestamp ?? 0).getTime();

const pinnedValue = (pinnedFrom: string, expireTime: string | undefined): Expiration =>
  expireTime === undefined ? { pinnedFrom } : { pinnedFrom, expireTime: new Date(expireTime) };

const hashOf = (asked: DatabaseBranch['spec']['expiration']): string => {
  const parts = [asked?.ttl, asked?.at, asked?.never];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
};

function sizeOf(object: DatabaseBranch, bclass: BranchClass): EndpointSize {
  const defaults = bclass.spec.endpoint ?? {};
  const asked = object.spec.endpoint ?? {};
  const maxCU = number(asked.maxCU ?? defaults.maxCU);
  // A default minimum above the maximum that somebody asked for would refuse what they asked for.
  const minCU = asked.minCU === undefined ? smaller(number(defaults.minCU), maxCU) : number(asked.minCU);
  const suspendAfter = asked.suspendAfter ?? defaults.suspendAfter;
  return {
    ...(minCU === undefined ? {} : { minCU }),
    ...(maxCU === undefined ? {} : { maxCU }),
    ...(suspendAfter === undefined ? {} : { suspendAfterSeconds: parseDuration(suspendAfter) / 1000 }),
  };
}

/** Lakebase lets a compute grow by at most this much over its minimum. */
const largestSpreadCU = 16;

function sizeProblems(
  { minCU = 0, maxCU = minCU, suspendAfterSeconds = 0 }: EndpointSize,
  bclass: BranchClass,
): Problem[] {
  const { name } = bclass.metadata;
  const { maxCU: classMax, suspendAfter } = bclass.spec.endpoint ?? {};
  const largest = Math.max(minCU, maxCU);
  const complaints: readonly (readonly [boolean, string])[] = [
    [
      largest > (number(classMax) ?? Infinity),
      `endpoint asks for ${largest} CU, class ${name} allows ${classMax}: lower spec.endpoint.maxCU`,
    ],
    [minCU > maxCU, `endpoint.minCU ${minCU} is above maxCU ${maxCU}: lower minCU or raise maxCU`],
    [
      minCU > 0 && maxCU - minCU > largestSpreadCU,
      `endpoint.maxCU may be at most ${largestSpreadCU} above minCU: raise minCU or lower maxCU`,
    ],
    [
      suspendAfter !== undefined && suspendAfterSeconds * 1000 > parseDuration(suspendAfter),
      `endpoint.suspendAfter is longer than class ${name} allows (${suspendAfter})`,
    ],
  ];
  return complaints
    .filter(([holds]) => holds)
    .map(([, message]) => ({ reason: Reason.EndpointSizeNotAllowed, message }));
}

/** Takes out what cannot be filled in, so that it holds up nothing else, and says so. */
function checkedTemplate(shape: SecretShape): { shape: SecretShape; problems: Problem[] } {
  const known = secretKeys.filter((key) => key !== 'certificates' || shape.certificates !== undefined);
  const sample: Record<string, string> = Object.fromEntries(known.map((key) => [key, key]));
  const data: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const [key, text] of Object.entries(shape.template.data)) {
    const wrong = templateError(text, sample);
    if (wrong === undefined) data[key] = text;
    else problems.push({ reason: Reason.TemplateInvalid, message: `spec.credentials.template.data.${key}: ${wrong}` });
  }
  return { shape: { ...shape, template: { ...shape.template, data } }, problems };
}

function templateError(text: string, sample: Readonly<Record<string, string>>): string | undefined {
  try {
    fillTemplate(text, sample);
    return undefined;
  } catch (error) {
    if (error instanceof TemplateError) return error.message;
    throw error;
  }
}

const number = (value: number | string | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);
const smaller = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? a : Math.min(a, b);
