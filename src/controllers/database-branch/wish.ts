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
  /** Hash of `spec.expiration` that the instant was computed from. */
  readonly pinnedFrom: string;
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

export function wishOf(object: DatabaseBranch, bclass: BranchClass, clusterID: string): Wished {
  const { spec, metadata } = object;
  const { provider, login, sources } = bclass.spec;
  const credentials = spec.credentials;
  const expiration = expirationOf(object, bclass);
  // Once the branch is on record, an edit of the class's default does not make it another's.
  const source = spec.source?.branch ?? object.status?.branch?.source?.branch ?? sources.default ?? '';
  const shape: SecretShape = {
    database: credentials.database,
    port: provider.port,
    template: {
      data: credentials.template?.data ?? {},
      labels: credentials.template?.labels ?? {},
      annotations: credentials.template?.annotations ?? {},
    },
  };
  const size = sizeOf(object, bclass);
  const wish: Wish = {
    branchId: branchId({
      clusterID,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      resetToken: '',
    }),
    project: provider.project,
    source,
    expiration: expiration.value,
    leaseMs: parseDuration(bclass.spec.expiration.lease),
    size: size.value,
    secretName: secretNameOf(object),
    shape,
    rotateToken: credentials.rotateToken ?? '',
    tokenTTLSeconds: parseDuration(credentials.tokenTTL) / 1000,
    roleOnBranch: login.role !== 'Inherited' && login.sameAsProvider !== true,
    membershipRoles: login.membershipRoles,
    verifyLogin: spec.verify?.login !== 'Never',
  };
  return {
    wish,
    problems: [...sourceProblems(source, bclass), ...expiration.problems, ...size.problems, ...templateProblems(shape)],
  };
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

function expirationOf(object: DatabaseBranch, bclass: BranchClass): { value: Expiration; problems: Problem[] } {
  const { spec, status, metadata } = object;
  const asked = spec.expiration;
  const pinnedFrom = createHash('sha256')
    .update(JSON.stringify([asked?.ttl ?? null, asked?.at ?? null, asked?.never ?? null]))
    .digest('hex')
    .slice(0, 16);
  const pinned = status?.expiration;
  if (pinned?.pinnedFrom === pinnedFrom) {
    return {
      value: { pinnedFrom, ...(pinned.expireTime ? { expireTime: new Date(pinned.expireTime) } : {}) },
      problems: [],
    };
  }
  const created = new Date(metadata.creationTimestamp ?? 0).getTime();
  const limits = bclass.spec.expiration;
  if (asked?.never) {
    if (limits.allowNever) return { value: { pinnedFrom }, problems: [] };
    return beforeEdit(object, pinnedFrom, {
      reason: Reason.NeverExpireNotAllowed,
      message: `class ${bclass.metadata.name} does not allow expiration.never: write expiration.ttl, at most ${limits.max}`,
    });
  }
  const ttl = asked?.ttl ?? limits.default;
  const expireTime = asked?.at ? new Date(asked.at) : new Date(created + parseDuration(ttl));
  const latest = created + parseDuration(limits.max);
  if (expireTime.getTime() <= latest) return { value: { expireTime, pinnedFrom }, problems: [] };
  const lifeText = formatDuration(expireTime.getTime() - created);
  return beforeEdit(object, pinnedFrom, {
    reason: Reason.ExpirationExceedsMaximum,
    message: `the branch would live for ${lifeText}, class ${bclass.metadata.name} allows ${limits.max}: shorten spec.expiration`,
  });
}

// An expiration that the class refuses changes nothing for a branch that is served: the one pinned before holds.
function beforeEdit(
  object: DatabaseBranch,
  pinnedFrom: string,
  problem: Problem,
): { value: Expiration; problems: Problem[] } {
  const pinned = object.status?.expiration;
  const value = pinned?.pinnedFrom
    ? { pinnedFrom: pinned.pinnedFrom, ...(pinned.expireTime ? { expireTime: new Date(pinned.expireTime) } : {}) }
    : { pinnedFrom, expireTime: new Date(object.metadata.creationTimestamp ?? 0) };
  return { value, problems: [problem] };
}

function sizeOf(object: DatabaseBranch, bclass: BranchClass): { value: EndpointSize; problems: Problem[] } {
  const ceiling = bclass.spec.endpoint ?? {};
  const asked = object.spec.endpoint ?? {};
  const maxCU = number(asked.maxCU) ?? number(ceiling.maxCU);
  const minCU = number(asked.minCU) ?? smaller(number(ceiling.minCU), maxCU);
  const suspendAfter = asked.suspendAfter ?? ceiling.suspendAfter;
  const value: EndpointSize = {
    ...(minCU === undefined ? {} : { minCU }),
    ...(maxCU === undefined ? {} : { maxCU }),
    ...(suspendAfter === undefined ? {} : { suspendAfterSeconds: parseDuration(suspendAfter) / 1000 }),
  };
  return { value, problems: sizeProblems(value, bclass) };
}

function sizeProblems({ minCU, maxCU, suspendAfterSeconds }: EndpointSize, bclass: BranchClass): Problem[] {
  const { maxCU: classMaxText, suspendAfter } = bclass.spec.endpoint ?? {};
  const classMax = number(classMaxText);
  const problem = (message: string): Problem[] => [{ reason: Reason.EndpointSizeNotAllowed, message }];
  const largest = Math.max(minCU ?? 0, maxCU ?? 0);
  if (classMax !== undefined && largest > classMax)
    return problem(
      `endpoint asks for ${largest} CU, class ${bclass.metadata.name} allows ${classMax}: lower spec.endpoint.maxCU`,
    );
  if (minCU !== undefined && maxCU !== undefined && minCU > maxCU)
    return problem(`endpoint.minCU ${minCU} is above maxCU ${maxCU}: lower minCU or raise maxCU`);
  // Lakebase lets a compute grow by at most 16 CU over its minimum.
  if (minCU !== undefined && maxCU !== undefined && maxCU - minCU > 16)
    return problem(`endpoint.maxCU may be at most 16 above minCU: raise minCU to ${maxCU - 16} or lower maxCU`);
  if (suspendAfter !== undefined && (suspendAfterSeconds ?? 0) * 1000 > parseDuration(suspendAfter))
    return problem(`endpoint.suspendAfter is longer than class ${bclass.metadata.name} allows (${suspendAfter})`);
  return [];
}

function templateProblems(shape: SecretShape): Problem[] {
  const sample: Record<string, string> = Object.fromEntries(secretKeys.map((key) => [key, 'x']));
  try {
    for (const text of Object.values(shape.template.data)) fillTemplate(text, sample);
    return [];
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return [{ reason: Reason.TemplateInvalid, message: `spec.credentials.template: ${error.message}` }];
  }
}

const number = (value: number | string | undefined): number | undefined =>
  value === undefined ? undefined : Number(value);
const smaller = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? a : Math.min(a, b);
