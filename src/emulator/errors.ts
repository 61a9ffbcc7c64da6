// Every refusal of the management API in one table. What is known of the real service stands here word for word;
// rows marked "not known" are a guess, and each row can be given another status, code or text (`variants`), so that a
// client can be tried against all the answers that the service might give.

export interface ErrorRow {
  readonly status: number;
  readonly code: string;
  /** `{name}` is replaced. */
  readonly message: string;
}

export const errorTable = {
  malformed: { status: 400, code: 'MALFORMED_REQUEST', message: 'Could not parse request object: {problem}' },
  invalidField: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Invalid value for field '{field}': {problem}",
  },
  fieldRequired: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: `Field '{field}' is required, expected non-default value (not "")!`,
  },
  badId: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Field {field} must match pattern {pattern}, got '{value}'.",
  },
  unknownMaskPath: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Unknown field path in update_mask: '{path}'",
  },
  maskedButAbsent: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Field '{path}' is in update_mask but not provided in request",
  },

  unauthenticated: {
    status: 401,
    code: 'UNAUTHENTICATED',
    message: 'Credential was not sent or was of an unsupported type for this API.',
  },
  tokenInvalid: { status: 401, code: 'UNAUTHENTICATED', message: 'Invalid access token.' },
  tokenExpired: { status: 401, code: 'UNAUTHENTICATED', message: 'Access token expired.' },
  denied: {
    status: 403,
    code: 'PERMISSION_DENIED',
    message:
      'User {principal} does not have the permission for this. Please assign the user "{level}" for the Database project {project}.',
  },

  noSuchApi: { status: 404, code: 'ENDPOINT_NOT_FOUND', message: "No API found for '{method} {path}'" },
  projectMissing: { status: 404, code: 'NOT_FOUND', message: 'project id not found' },
  branchMissing: { status: 404, code: 'NOT_FOUND', message: 'branch id not found' },
  endpointMissing: { status: 404, code: 'NOT_FOUND', message: 'endpoint id not found' },
  roleMissing: { status: 404, code: 'NOT_FOUND', message: 'role not found; role_id:"{id}"' },
  /** Not known. */
  databaseMissing: { status: 404, code: 'NOT_FOUND', message: 'database not found; database_id:"{id}"' },
  operationMissing: { status: 404, code: 'NOT_FOUND', message: 'operation id not found: {name}' },

  projectExists: {
    status: 409,
    code: 'ALREADY_EXISTS',
    message: 'project with such id already exists in the workspace',
  },
  /** 400 was seen on the service; 409 ALREADY_EXISTS is what its own command line expects. */
  branchExists: { status: 400, code: 'BAD_REQUEST', message: 'branch already exists; branch_name:"{id}"' },
  /** Status and code not known. */
  readWriteExists: { status: 409, code: 'ALREADY_EXISTS', message: 'read_write endpoint already exists' },
  /** Not known. */
  endpointExists: { status: 409, code: 'ALREADY_EXISTS', message: 'endpoint with such id already exists' },
  roleExists: { status: 400, code: 'BAD_REQUEST', message: 'role with that name already exists' },
  databaseExists: { status: 400, code: 'BAD_REQUEST', message: 'database with that name already exists' },

  expirationMissing: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'Expiration must be specified when creating a branch',
  },
  noExpiryFalse: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Invalid 'no_expiry' value: must be true to disable expiration. Provide 'ttl' or 'expire_time' instead.",
  },
  /** Not known. */
  severalExpirations: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Only one of 'ttl', 'expire_time' and 'no_expiry' can be set.",
  },
  expirationTooFar: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'expiration time exceeds the maximum expiration time',
  },
  /** Not known. */
  expirationPast: { status: 400, code: 'INVALID_PARAMETER_VALUE', message: 'expiration time must be in the future' },
  /** The three rules are documented, their words are not known. */
  expirationOnProtected: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'Protected branches cannot have an expiration date',
  },
  expirationOnDefault: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The default branch cannot have an expiration date',
  },
  expirationOnParent: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'Branches with children cannot have an expiration date',
  },
  sourceExpires: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'Branches with an expiration date cannot have child branches',
  },
  sourceElsewhere: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'source_branch field must point to the branch from the same Project',
  },
  /** The service fails on every time without seconds and fraction. */
  wholeMinute: {
    status: 500,
    code: 'INTERNAL_ERROR',
    message:
      'The request could not be processed. Please try again later and contact Databricks if the problem persists.',
  },
  /** Whether and how the service refuses the following six is not known. */
  pastTwice: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: "Only one of 'source_branch_time' and 'source_branch_lsn' can be set.",
  },
  pastInFuture: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'source_branch_time must not be in the future',
  },
  pastOutOfWindow: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: '{field} is older than the history retention of the project ({retention})',
  },
  pastBeforeBranch: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: '{field} is before the source branch was created',
  },
  lsnMalformed: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'source_branch_lsn is not a log sequence number such as "0/1A2B3C"',
  },
  lsnBeyondHead: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'source_branch_lsn is beyond the end of the log of the source branch',
  },
  /** Said by this emulator only. */
  snapshotsNotEmulated: {
    status: 501,
    code: 'NOT_IMPLEMENTED',
    message: 'This emulator has no snapshots: leave out {field}.',
  },
  /** Said by this emulator only. */
  pgVersionNotEmulated: {
    status: 400,
    code: 'INVALID_PARAMETER_VALUE',
    message: 'This emulator runs PostgreSQL {have} only: leave out spec.pg_version, or set it to {have}.',
  },

  protectedBranch: { status: 400, code: 'BAD_REQUEST', message: 'cannot delete protected branch' },
  rootBranch: {
    status: 400,
    code: 'BAD_REQUEST',
    message: "Cannot delete root branch '{name}'. Root branches cannot be deleted independently.",
  },
  /** Not known. */
  branchHasChildren: { status: 400, code: 'BAD_REQUEST', message: 'cannot delete branch that has child branches' },
  /** Not known. */
  defaultBranch: { status: 400, code: 'BAD_REQUEST', message: 'cannot delete the default branch' },
  /** Not known. */
  projectHasProtected: { status: 400, code: 'BAD_REQUEST', message: 'cannot delete project with protected branches' },
  readWriteEndpoint: {
    status: 400,
    code: 'BAD_REQUEST',
    message: "Cannot delete read-write endpoint '{name}'. Read-write endpoints cannot be deleted.",
  },
  /** Not known. */
  roleOwnsDatabase: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'role "{id}" cannot be deleted because it owns databases; set reassign_owned_to',
  },
  /** Not known. */
  noPassword: { status: 400, code: 'BAD_REQUEST', message: 'role does not use password authentication' },
  /** Not known. */
  notDeleted: { status: 400, code: 'BAD_REQUEST', message: 'resource is not deleted' },
  /** Said by this emulator only. */
  dataGone: {
    status: 400,
    code: 'BAD_REQUEST',
    message:
      'This emulator has already removed the data of this branch: start it with --keep-deleted to keep it longer.',
  },

  /** Status not known. */
  conflictingOperations: {
    status: 409,
    code: 'ABORTED',
    message:
      'Your project already has conflicting operations in progress. Please wait until they are complete, and then try again.',
  },
  reconciling: { status: 409, code: 'RESOURCE_CONFLICT', message: 'Endpoint reconciliation still in progress' },

  /** The limits are documented, the answers are not known. */
  tooManyUnarchived: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The project has reached the limit of {limit} unarchived branches',
  },
  tooManyBranches: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The project has reached the limit of {limit} branches',
  },
  tooManyProtected: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The project has reached the limit of {limit} protected branches',
  },
  tooManyProjects: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The workspace has reached the limit of {limit} projects',
  },
  tooManyDatabases: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'The branch has reached the limit of {limit} databases',
  },

  /** In operations. */
  aborted: { status: 409, code: 'ABORTED', message: 'The operation was aborted: {why}' },
  internal: {
    status: 500,
    code: 'INTERNAL_ERROR',
    message:
      'The request could not be processed. Please try again later and contact Databricks if the problem persists.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorName = keyof typeof errorTable;
export const isErrorName = (name: string): name is ErrorName => Object.hasOwn(errorTable, name);

/** Other answers for rows of the table, by name. */
export type ErrorVariants = {
  readonly [Name in ErrorName]?: { readonly [Part in keyof ErrorRow]?: ErrorRow[Part] | undefined } | undefined;
};

/** Thrown by whatever decides that a request is refused; turned into an answer in one place. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly row: ErrorName;
  readonly values: Readonly<Record<string, string | number>>;

  constructor(row: ErrorName, values: Readonly<Record<string, string | number>> = {}) {
    super(fill(errorTable[row].message, values));
    this.row = row;
    this.values = values;
  }
}

export interface ErrorBody {
  readonly error_code: string;
  readonly message: string;
  readonly details: readonly unknown[];
}

/** The rows whose details say that the resource belongs to its parent. */
const managedByParent: ReadonlySet<ErrorName> = new Set(['rootBranch', 'readWriteEndpoint']);

/** Said by the gateway before any back end was asked: no trace. */
const untraced: ReadonlySet<ErrorName> = new Set(['noSuchApi', 'unauthenticated', 'tokenInvalid', 'tokenExpired']);

/** Status and body of a refusal; `traceId` is 32 hex digits. */
export function answerTo(
  refusal: Refusal,
  traceId: string,
  variants: ErrorVariants,
): { status: number; body: ErrorBody } {
  const usual: ErrorRow = errorTable[refusal.row];
  const variant = variants[refusal.row];
  const message = fill(variant?.message ?? usual.message, refusal.values);
  return {
    status: variant?.status ?? usual.status,
    body: {
      error_code: variant?.code ?? usual.code,
      message: untraced.has(refusal.row) ? message : `${message} [TraceId: ${traceId}]`,
      details: managedByParent.has(refusal.row) ? managedDetails(traceId) : [],
    },
  };
}

/** As they were seen. Elsewhere there are none: the JavaScript SDK gives up on details without metadata. */
const managedDetails = (traceId: string): unknown[] => [
  {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: 'RESOURCE_CONFLICT',
    domain: 'databricks.com',
    metadata: { declarative_context: 'MANAGED_BY_PARENT' },
  },
  { '@type': 'type.googleapis.com/google.rpc.RequestInfo', request_id: traceId, serving_data: '' },
];

function fill(template: string, values: Readonly<Record<string, string | number>>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
