// The provider's JSON → our model. Everything else in this folder trusts what leaves this file. Unknown fields and
// unknown members of enumerations are let through; a field that we rely on and cannot read is an error that names the
// field, never its value.
import { z } from 'zod';
import { LakebaseError } from './errors.ts';
import type { Branch, Endpoint, Operation, Project, Role } from './model.ts';
import { Token } from './token.ts';

/** From the provider's clock to ours. */
export type Shift = (instant: Date) => Date;

/** The body of a successful answer. */
export function jsonFrom(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new LakebaseError('unavailable', 'the answer is not JSON');
  }
}

/** One page of a list: the unread items and, if there are more pages, the token of the next. */
export function pageFrom(json: unknown, plural: string): { items: unknown[]; next: string | undefined } {
  const page = read(z.looseObject({ next_page_token: text }), json);
  return { items: read(maybe(z.array(z.unknown())), page[plural], plural) ?? [], next: page.next_page_token };
}

export function branchFrom(json: unknown, shift: Shift): Branch {
  const { name, uid, parent, create_time, delete_time, status } = read(branchSchema, json);
  return present({
    id: name.branch,
    uid,
    project: parent ?? name.project,
    state: status.current_state,
    isDefault: status.default ?? false,
    isProtected: status.is_protected ?? false,
    sourceBranch: status.source_branch,
    // Compared with instants that people read off the database's own clock.
    sourceTime: status.source_branch_time,
    sourceLsn: status.source_branch_lsn,
    expireTime: shifted(status.expire_time, shift),
    createTime: shifted(create_time, shift),
    deleteTime: shifted(status.delete_time ?? delete_time, shift),
  });
}

export function endpointFrom(json: unknown): Endpoint {
  const { name, uid, parent, status } = read(endpointSchema, json);
  const { project, branch } = parent ?? name;
  return present({
    id: name.endpoint,
    uid,
    project,
    branch,
    type: status.endpoint_type,
    state: status.current_state,
    pending: status.pending_state !== undefined && !status.pending_state.endsWith('UNSPECIFIED'),
    host: status.hosts.host,
    minCU: status.autoscaling_limit_min_cu,
    maxCU: status.autoscaling_limit_max_cu,
    suspendAfterSeconds: status.no_suspension ? undefined : status.suspend_timeout_duration,
  });
}

export function roleFrom(json: unknown): Role {
  const { name, status } = read(roleSchema, json);
  return {
    id: name.role,
    postgresRole: status.postgres_role ?? '',
    identityType: status.identity_type ?? '',
    authMethod: status.auth_method ?? '',
    membershipRoles: status.membership_roles ?? [],
  };
}

export function projectFrom(json: unknown): Project {
  const { name, status } = read(projectSchema, json);
  return present({
    id: name,
    defaultBranch: status.default_branch,
    historyRetentionSeconds: status.history_retention_duration,
    pgVersion: status.pg_version,
  });
}

export function operationFrom(json: unknown): Operation {
  const { name, done, error } = read(operationSchema, json);
  const words =
    error && (oneLine(withoutTraceId(error.message ?? '').words) || error.error_code || 'failed without a reason');
  return present({ name, done: done ?? false, error: words });
}

export function credentialFrom(json: unknown, shift: Shift): { token: Token; expireTime: Date } {
  const { token, expire_time } = read(credentialSchema, json);
  return { token: new Token(token), expireTime: shift(expire_time) };
}

/** The answer of a token endpoint. A life that is not said is taken to be short. */
export function accessTokenFrom(json: unknown): { token: Token; lifeSeconds: number } {
  const { access_token, expires_in } = read(accessTokenSchema, json);
  return { token: new Token(access_token), lifeSeconds: expires_in ?? unsaidLifeSeconds };
}

/** The absolute URL of the token endpoint. */
export const tokenEndpointFrom = (json: unknown): string => read(discoverySchema, json).token_endpoint;

/** What an answer that is not a success says about itself. */
export interface ErrorWords {
  /** Every error of the API has one; pages and JSON of something in between have none. */
  readonly apiCode: string | undefined;
  /** The `error` of a token endpoint. */
  readonly oauthCode: string | undefined;
  /** At most 500 characters, on one line, without TraceId; '' if there are no words. */
  readonly message: string;
  readonly traceId: string | undefined;
  readonly retryDelayMs: number | undefined;
}

/** Never throws: error pages of gateways, empty bodies and the error shapes of older APIs are all read. */
export function errorWordsFrom(body: string): ErrorWords {
  const { data } = errorSchema.safeParse(jsonOrUndefined(body));
  const { words, traceId } = withoutTraceId(data ? data.words : pageText(body));
  const find = (type: string): ErrorDetail | undefined =>
    data?.details?.find((item) => item['@type']?.endsWith(`.${type}`));
  return {
    apiCode: data?.apiCode,
    oauthCode: data?.oauthCode,
    message: oneLine(words),
    traceId: traceId ?? find('RequestInfo')?.request_id,
    retryDelayMs: find('RetryInfo')?.retry_delay,
  };
}

/** Absent, null and unset are one. */
const maybe = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

/** A message that may be missing as a whole, as if it were there and empty. */
const part = <T extends z.ZodRawShape>(shape: T) => z.preprocess((value) => value ?? {}, z.object(shape));

const filled = z.string().min(1);
const text = maybe(z.string()).transform((value) => value || undefined);
const flag = maybe(z.boolean());

/** RFC 3339 with at most nine fraction digits; what is finer than a millisecond is cut off. */
const rfc3339 = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/i);
const toMilliseconds = (value: string): Date => new Date(value.replace(/(\.\d{3})\d+/, '$1').toUpperCase());
const isDate = (date: Date): boolean => !Number.isNaN(date.getTime());

const instant = rfc3339.transform(toMilliseconds).refine(isDate);

/** Rounded up instead: whoever asks that data be no later than an instant must not be told an earlier one. */
const instantOrAfter = rfc3339
  .transform((value) => {
    const isFiner = /\.\d{3}\d*[1-9]/.test(value);
    return new Date(toMilliseconds(value).getTime() + (isFiner ? 1 : 0));
  })
  .refine(isDate);

/** `3600s`, `0.5s` → seconds. */
const seconds = z
  .string()
  .regex(/^\d+(\.\d{1,9})?s$/)
  .transform(Number.parseFloat);

/** Numbers wider than a double's 53 bits come as strings. */
const numeric = z.union([z.number(), z.string().regex(/^-?\d+(\.\d+)?$/)]).transform(Number);

/** The id at the end of a resource name; only the id matters to us. */
const lastSegment = text.transform((name) => name?.split('/').at(-1) || undefined);

const projectName = z
  .string()
  .regex(/^projects\/[^/]+$/)
  .transform((name) => name.slice('projects/'.length));

const branchName = z
  .string()
  .regex(/^projects\/[^/]+\/branches\/[^/]+$/)
  .transform((name) => {
    const [, project = '', , branch = ''] = name.split('/');
    return { project, branch };
  });

const endpointName = z
  .string()
  .regex(/^projects\/[^/]+\/branches\/[^/]+\/endpoints\/[^/]+$/)
  .transform((name) => {
    const [, project = '', , branch = '', , endpoint = ''] = name.split('/');
    return { project, branch, endpoint };
  });

const roleName = z
  .string()
  .regex(/^projects\/[^/]+\/branches\/[^/]+\/roles\/[^/]+$/)
  .transform((name) => ({ role: name.split('/').at(-1) ?? '' }));

const branchStates = ['INIT', 'READY', 'ARCHIVED', 'IMPORTING', 'RESETTING', 'DELETED'] as const;
const endpointStates = ['INIT', 'ACTIVE', 'IDLE', 'DEGRADED'] as const;

const branchSchema = z.object({
  name: branchName,
  uid: filled,
  parent: maybe(projectName),
  create_time: maybe(instant),
  delete_time: maybe(instant),
  status: part({
    current_state: z.enum([...branchStates, 'UNKNOWN']).catch('UNKNOWN'),
    default: flag,
    is_protected: flag,
    source_branch: lastSegment,
    source_branch_lsn: text,
    source_branch_time: maybe(instantOrAfter),
    expire_time: maybe(instant),
    delete_time: maybe(instant),
  }),
});

const endpointTypes = { ENDPOINT_TYPE_READ_WRITE: 'READ_WRITE', ENDPOINT_TYPE_READ_ONLY: 'READ_ONLY' } as const;

const endpointSchema = z.object({
  name: endpointName,
  uid: filled,
  parent: maybe(branchName),
  status: part({
    endpoint_type: z
      .enum(['ENDPOINT_TYPE_READ_WRITE', 'ENDPOINT_TYPE_READ_ONLY'])
      .transform((type) => endpointTypes[type])
      .or(z.literal('UNKNOWN'))
      .catch('UNKNOWN'),
    current_state: z.enum([...endpointStates, 'UNKNOWN']).catch('UNKNOWN'),
    pending_state: text,
    hosts: part({ host: text }),
    autoscaling_limit_min_cu: maybe(numeric),
    autoscaling_limit_max_cu: maybe(numeric),
    suspend_timeout_duration: maybe(seconds),
    no_suspension: flag,
  }),
});

const roleSchema = z.object({
  name: roleName,
  status: part({
    postgres_role: text,
    identity_type: text,
    auth_method: text,
    membership_roles: maybe(z.array(z.string())),
  }),
});

const projectSchema = z.object({
  name: projectName,
  status: part({
    default_branch: lastSegment,
    history_retention_duration: maybe(seconds),
    pg_version: maybe(numeric),
  }),
});

const operationSchema = z.object({
  name: filled,
  done: flag,
  error: maybe(z.object({ error_code: text, message: text })),
});

const credentialSchema = z.object({ token: filled, expire_time: instant });

const unsaidLifeSeconds = 300;

const accessTokenSchema = z.object({
  access_token: filled,
  expires_in: maybe(numeric).catch(undefined),
});

const discoverySchema = z.object({ token_endpoint: z.url() });

const errorDetail = z.object({
  '@type': text.catch(undefined),
  request_id: text.catch(undefined),
  retry_delay: maybe(seconds)
    .transform((value) => (value === undefined ? undefined : value * 1000))
    .catch(undefined),
});
type ErrorDetail = z.infer<typeof errorDetail>;

const errorSchema = z
  .object({
    error_code: text.catch(undefined),
    errorCode: text.catch(undefined),
    message: text.catch(undefined),
    error: text.catch(undefined),
    error_description: text.catch(undefined),
    errorSummary: text.catch(undefined),
    detail: text.catch(undefined),
    details: maybe(z.array(errorDetail)).catch(undefined),
  })
  .transform(({ error_code, errorCode, message, error, error_description, errorSummary, detail, details }) => ({
    apiCode: error_code ?? errorCode,
    oauthCode: error,
    words: message ?? error_description ?? errorSummary ?? detail ?? error ?? '',
    details,
  }));

function read<T extends z.ZodType>(schema: T, json: unknown, where = ''): z.infer<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const field = [where, ...(parsed.error.issues[0]?.path ?? [])].filter((segment) => segment !== '').join('.');
  throw new LakebaseError('unavailable', `the answer has no usable ${field ? `field ${field}` : 'content'}`);
}

const shifted = (instantThere: Date | undefined, shift: Shift): Date | undefined => instantThere && shift(instantThere);

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Leaves out the members that are undefined. */
const present = <T extends object>(value: T): Present<T> =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Present<T>;

function jsonOrUndefined(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** The `<pre>` or `<title>` of an HTML page; nothing of any other body. */
const pageText = (body: string): string =>
  (/<pre[^>]*>([^<]*)</i.exec(body) ?? /<title[^>]*>([^<]*)</i.exec(body))?.[1] ?? '';

/** How JSON Web Tokens begin; a provider that quotes one that we do not know must not make us repeat it. */
const anyToken = /eyJ[\w-]{8,}(\.[\w-]*){0,2}/g;

const oneLine = (words: string): string =>
  words.replaceAll(anyToken, '[token]').replaceAll(/\s+/g, ' ').trim().slice(0, 500);

function withoutTraceId(message: string): { words: string; traceId: string | undefined } {
  const traceId = /\[TraceId: ([0-9a-f-]+)\]/i.exec(message)?.[1];
  return { words: message.replaceAll(/\s*\[TraceId: [0-9a-f-]*\]/gi, '').trim(), traceId };
}
