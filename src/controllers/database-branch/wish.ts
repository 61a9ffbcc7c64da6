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
import { branchId } from '../../lakebase/ids.ts';
import type { EndpointSize } from '../../lakebase/client.ts';

/** Something that a person must change before the object can have what it asks for. */
export interface Problem {
  readonly reason: Reason;
  readonly message: string;
}

export interface Wish {
  /** Id of the branch that this object wants: a function of the object alone. */
  readonly branchId: string;
  readonly project: string;
  readonly source: string;
  readonly expiration: Expiration;
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
}

/** The instant after `expireTime` at which the provider removes what we did not: we act first, it is the net. */
const netMs = 10 * 60_000;

/** What the provider is told: never further than one lease ahead, so that a destroyed cluster leaves nothing behind. */
export function leaseTarget({ expireTime }: Expiration, leaseMs: number, now: Date): Date {
  const lease = now.getTime() + leaseMs;
  return new Date(expireTime ? Math.min(lease, expireTime.getTime() + netMs) : lease);
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
}

export function wishOf(
  object: DatabaseBranch,
  bclass: BranchClass,
  { clusterID, ca, now, hasSecret }: WishContext,
): Wished {
  const { metadata, spec } = object;
  const { name, namespace = '', uid = '' } = metadata;
  const { provider, login } = bclass.spec;
  const source = sourceOf(object, bclass);
  const expiration = expirationOf(object, bclass, hasSecret ? now : undefined);
  const template = checkedTemplate(shapeOf(object, bclass, ca));
  const size = sizeOf(object, bclass);
  const wish: Wish = {
    branchId: branchId({ clusterID, namespace, name, uid, resetToken: '' }),
    project: provider.project,
    source,
    expiration: expiration.value,
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
    ...sourceProblems(source, bclass),
    ...expiration.problems,
    ...sizeProblems(size, bclass),
    ...template.problems,
  ];
  return { wish, problems };
}

// Once the branch is on record, an edit of the class's default does not make it another's.
const sourceOf = ({ spec, status }: DatabaseBranch, bclass: BranchClass): string =>
  spec.source?.branch ?? status?.branch?.source?.branch ?? bclass.spec.sources.default ?? '';

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
  if (!ttl && !at && lostAt)
    return { value: { expireTime: mercy(created + parseDuration(defaultLife), lostAt), pinnedFrom }, problems: [] };
  const expireTime = at ? new Date(at) : new Date(created + parseDuration(ttl ?? defaultLife));
  if (expireTime.getTime() <= created + parseDuration(max)) return { value: { expireTime, pinnedFrom }, problems: [] };
  return beforeEdit(object, {
    reason: Reason.ExpirationExceedsMaximum,
    message: `the branch would live for ${formatDuration(expireTime.getTime() - created)}, class ${bclass.metadata.name} allows ${max}: shorten spec.expiration`,
  });
}

/** A default that the class has shortened meanwhile must not end at once what lost its status: a day's notice. */
const mercy = (expireMs: number, now: Date): Date =>
  new Date(expireMs <= now.getTime() ? now.getTime() + 24 * 3_600_000 : expireMs);

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
  const parts = [asked?.ttl ?? null, asked?.at ?? null, asked?.never ?? null];
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

function sizeProblems({ minCU = 0, maxCU, suspendAfterSeconds = 0 }: EndpointSize, bclass: BranchClass): Problem[] {
  const { name } = bclass.metadata;
  const { maxCU: classMax, suspendAfter } = bclass.spec.endpoint ?? {};
  const largest = Math.max(minCU, maxCU ?? 0);
  const complaints: readonly (readonly [boolean, string])[] = [
    [
      largest > (number(classMax) ?? Infinity),
      `endpoint asks for ${largest} CU, class ${name} allows ${classMax}: lower spec.endpoint.maxCU`,
    ],
    [minCU > (maxCU ?? Infinity), `endpoint.minCU ${minCU} is above maxCU ${maxCU}: lower minCU or raise maxCU`],
    [
      minCU > 0 && (maxCU ?? 0) - minCU > largestSpreadCU,
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
  const sample: Record<string, string> = Object.fromEntries(known.map((key) => [key, 'x']));
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
