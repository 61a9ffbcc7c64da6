// BranchClass: what a platform team decides once, so that developers need to know no host, project or credential.
import * as z from 'zod';
import {
  celMatches,
  computeUnits,
  conditions,
  duration,
  endpointRule,
  immutable,
  labelKey,
  labels,
  labelValue,
  notAnOperatorBranch,
  observedGeneration,
  providerId,
  secretReference,
  statusBeforeFirstLook,
  statusCount,
  statusText,
  withRules,
  type ObjectMeta,
} from './schema.ts';

const clientSecretRef = secretReference().describe(
  'OAuth client of a service principal: a Secret in the operator’s namespace with the keys client-id and client-secret. It is read again within a minute after a change, and at once after the provider refused it.',
);

const workloadIdentity = z.object({
  clientId: withRules(z.string().min(1).max(64), {
    rule: celMatches('^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'),
    message:
      'write the application id of the service principal, like 7d5f2a1e-4b0c-4c8e-9a3d-2f6b1c0e8d7a, not its name or its number',
  }).describe('Application id of the service principal.'),
  audience: withRules(z.string().min(1).max(253), {
    rule: celMatches('^[!-+--~]+$'),
    message: 'write one of the audiences that the operator is configured with: no spaces, no commas',
  }).describe(
    'Audience of the ServiceAccount token: one of those that the operator is configured with (LAKEBRANCH_WORKLOAD_IDENTITY_AUDIENCES). The federation policy of the service principal has to name it.',
  ),
});

const auth = withRules(
  z.object({
    clientSecretRef: clientSecretRef.exactOptional(),
    workloadIdentity: workloadIdentity
      .exactOptional()
      .describe(
        'Without a stored secret: the operator’s own ServiceAccount token is exchanged at the workspace (RFC 8693). The service principal needs a federation policy that names issuer, subject and audience of that token.',
      ),
  }),
  {
    rule: '[has(self.clientSecretRef), has(self.workloadIdentity)].filter(set, set).size() == 1',
    message: 'set exactly one of workloadIdentity and clientSecretRef',
  },
);

const hostPattern = '^https?://([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?$';

const provider = z.object({
  host: withRules(
    z.string().max(253),
    {
      rule: celMatches(hostPattern),
      message:
        'write scheme and host only, without a path or a slash at the end: https://dbc-12345678-9abc.cloud.databricks.com',
    },
    immutable('host cannot be changed, because the branches of this class live there: create another BranchClass'),
  ).describe(
    'Address of the Databricks workspace, like https://dbc-12345678-9abc.cloud.databricks.com. http:// is for the lakebranch emulator: with it, credentials travel in the clear. Cannot be changed.',
  ),
  project: withRules(
    providerId('project'),
    immutable('project cannot be changed, because the branches of this class live there: create another BranchClass'),
  ).describe('Id of the Lakebase project in which branches are made. Cannot be changed.'),
  port: z
    .int()
    .min(1)
    .max(65535)
    .default(5432)
    .describe(
      'Port of the databases, as written into Secrets. Another one than 5432 is for the emulator and for forwarders.',
    ),
  caSecretRef: secretReference()
    .exactOptional()
    .describe(
      'Private certificate authority of the workspace and the databases: a Secret in the operator’s namespace with the key ca.crt (PEM). Secrets for applications then hold it under the key certificates. Leave out for the cloud service.',
    ),
  auth: auth.describe('Who manages branches: needs CAN_MANAGE on the project. May be changed at any time.'),
});

const login = withRules(
  z.object({
    auth: auth
      .exactOptional()
      .describe(
        'A service principal of its own whose tokens go into the Secrets of applications. It needs CAN_USE on the project, and no role on the source branches.',
      ),
    sameAsProvider: z
      .boolean()
      .exactOptional()
      .describe(
        'Only true: hand tokens of the managing service principal to applications. Whoever reads a Secret can then also log in to the source branches and, within the provider’s limits, manage the project. For trials.',
      ),
    role: z
      .enum(['CreateOnBranch', 'Inherited'])
      .default('CreateOnBranch')
      .describe(
        'CreateOnBranch: the Postgres role of the login is made on each branch after the fork, so it does not exist on the source and its login opens no source. Inherited: the role exists on the source and came along with the fork; the login opens the source too. With sameAsProvider it is always inherited.',
      ),
    membershipRoles: z
      .array(
        withRules(z.string().min(1).max(63), {
          rule: celMatches('^[A-Z][A-Z0-9_]*$'),
          message: 'write the provider’s name of a membership role, like DATABRICKS_SUPERUSER',
        }),
      )
      .max(8)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .default(['DATABRICKS_SUPERUSER'])
      .describe(
        'Roles of which the login becomes a member when its role is made on the branch. An empty list: it may log in and sees what everybody sees.',
      ),
  }),
  {
    rule: '[has(self.auth), has(self.sameAsProvider)].filter(set, set).size() == 1',
    message: 'set exactly one of auth and sameAsProvider: true',
  },
  {
    rule: '!has(self.sameAsProvider) || self.sameAsProvider',
    message: 'sameAsProvider can only be true: leave it out and set auth instead',
  },
);

const sources = withRules(
  z.object({
    allow: z
      .array(
        withRules(
          z.string().min(1).max(63),
          {
            rule: celMatches('^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$'),
            message: 'write the id of a branch, or a pattern with *, like staging-*',
          },
          notAnOperatorBranch,
        ),
      )
      .min(1)
      .max(64)
      .meta({ 'x-kubernetes-list-type': 'set' })
      .describe(
        'Branches that may be forked: ids, or patterns in which * stands for any characters. No pattern matches a branch that lakebranch itself made.',
      ),
    default: withRules(providerId('branch'), notAnOperatorBranch)
      .exactOptional()
      .describe(
        'Branch that is forked when an object names none. Must be allowed. Without it every object has to name its source.',
      ),
  }),
  {
    rule: "!has(self.default) || self.allow.exists(pattern, self.default.matches('^' + pattern.replace('*', '.*') + '$'))",
    message: 'default must match one of allow: add it there, or name another branch',
    fieldPath: '.default',
  },
);

const requirement = withRules(
  z.object({
    key: labelKey().describe('Key of a label of the namespace.'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How the label is compared.'),
    values: z
      .array(labelValue())
      .max(32)
      .meta({ 'x-kubernetes-list-type': 'atomic' })
      .exactOptional()
      .describe('For In and NotIn: the values. Must be left out for Exists and DoesNotExist.'),
  }),
  {
    rule: "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
    message: 'In and NotIn need values; Exists and DoesNotExist take none',
  },
);

const allowedNamespaces = z.object({
  matchLabels: labels().exactOptional().describe('Labels that the namespace must have.'),
  matchExpressions: z
    .array(requirement)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .exactOptional()
    .describe('Further demands on the labels of the namespace.'),
});

const expiration = withRules(
  z.object({
    default: duration('default', '10m', '720h').default('72h').describe('Life of a branch whose object asks for none.'),
    max: duration('max', '10m', '720h').default('336h').describe('Longest life that an object may ask for.'),
    allowNever: z.boolean().default(false).describe('Whether an object may ask for expiration.never.'),
    lease: duration('lease', '24h', '720h')
      .default('96h')
      .describe(
        'How far ahead the provider’s own expiry is set, pushed forward every 12 hours. If operator or cluster are gone for good, every branch is gone after this time; an outage shorter than this minus 12 hours costs nothing.',
      ),
  }),
  {
    rule: '!has(self.default) || !has(self.max) || duration(self.default) <= duration(self.max)',
    message: 'default must not be longer than max: shorten default or raise max',
    fieldPath: '.default',
  },
);

const endpoint = withRules(
  z.object({
    minCU: computeUnits()
      .exactOptional()
      .describe('Compute units that a running endpoint keeps at least, when an object names none.'),
    maxCU: computeUnits()
      .exactOptional()
      .describe(
        'Default and ceiling of the compute units of an endpoint. Without it the provider’s default holds and there is no ceiling.',
      ),
    suspendAfter: duration('suspendAfter', '1m', '168h')
      .exactOptional()
      .describe(
        'Default and ceiling of the time without connections after which an endpoint sleeps. The next connection wakes it.',
      ),
  }),
  endpointRule,
);

/** The provider allows ten unarchived branches per project, and one of them is its root. */
const mostBranches = 9;

const limits = withRules(
  z.object({
    perNamespace: z
      .int()
      .min(1)
      .max(mostBranches)
      .exactOptional()
      .describe(
        'Most branches of this class that one namespace may have at a time; further objects wait. Without it, as many as there are.',
      ),
    total: z
      .int()
      .min(1)
      .max(mostBranches)
      .exactOptional()
      .describe(
        'Most branches of this class at a time; further objects wait. Without it, as many as the provider allows: ten per project, whoever made them.',
      ),
    reserve: z
      .int()
      .min(0)
      .max(mostBranches - 1)
      .exactOptional()
      .describe(
        'How many branches are kept free for restores, so that the past can be brought back when all else is in use. Without it, none.',
      ),
  }),
  {
    rule: '!has(self.reserve) || !has(self.total) || self.reserve < self.total',
    message: 'reserve must be below total, so that a branch is left for ordinary objects: lower reserve or raise total',
    fieldPath: '.reserve',
  },
  {
    rule: '!has(self.perNamespace) || !has(self.total) || self.perNamespace <= self.total',
    message: 'perNamespace must not be above total: lower perNamespace or raise total',
    fieldPath: '.perNamespace',
  },
);

const restore = z.object({
  allowed: z
    .boolean()
    .describe('Whether branches of the past may be made: by a PointInTimeRestore, or with source.time and source.lsn.'),
  maxAge: duration('maxAge', '1m', '840h')
    .default('168h')
    .describe('How far back a restore may go. Further back than the history of the project reaches nobody can go.'),
  via: z
    .enum(['Any', 'PointInTimeRestoreOnly'])
    .default('Any')
    .describe(
      'Any: a DatabaseBranch may ask for the past by itself. PointInTimeRestoreOnly: only a PointInTimeRestore may, which is a kind of its own, so that RBAC decides who can bring back what was deleted.',
    ),
});

const spec = z.object({
  provider: provider.describe('The Lakebase project, and who manages branches in it.'),
  login: login.describe('Whose tokens go into the Secrets of applications.'),
  sources: sources.describe('Which branches may be forked.'),
  allowedNamespaces: allowedNamespaces.describe(
    'Namespaces whose objects may use this class, by their labels. {} allows all. Whoever can log in to one branch of the class may, if they learn its host, log in to any other of it: a class is one domain of trust.',
  ),
  expiration: expiration
    .prefault({})
    .describe(
      'How long branches live. Read when an object’s spec.expiration is first seen or changes; an edit here never shortens the life of a branch that exists.',
    ),
  limits: limits
    .exactOptional()
    .describe(
      'How many branches there may be. Lowering a limit takes no branch away: new ones wait until enough are gone.',
    ),
  endpoint: endpoint
    .exactOptional()
    .describe('Sizes of endpoints: defaults where an object is silent, ceilings where it is not.'),
  restore: restore
    .exactOptional()
    .describe(
      'Whether and how branches of the past may be made. They hold what was deleted since; without this field there are none.',
    ),
});

const status = z.object({
  observedGeneration: observedGeneration().exactOptional(),
  historyRetention: statusText()
    .exactOptional()
    .describe('How far back the provider keeps the history of the project, like 168h.'),
  used: z
    .object({
      branches: statusCount().describe('Objects of this class that have a branch, or are getting their first one.'),
      limit: statusCount().describe('How many may have one: limits.total, or what the provider allows.'),
    })
    .exactOptional()
    .describe('How much of the class is in use. Written at most every 10 seconds.'),
  queued: statusCount().exactOptional().describe('Objects of this class that wait for a free branch.'),
  unleased: statusCount()
    .exactOptional()
    .describe('Branches of this class that only the operator removes; the Unleased condition names them.'),
  conditions: conditions().exactOptional().describe('Ready: the credentials work and the project was seen.'),
});

export const branchClassSchema = z
  .object({
    spec: spec.describe('What the platform team decides.'),
    status: status.default(statusBeforeFirstLook()).describe('What the operator found.'),
  })
  .describe(
    'A BranchClass is what a platform team decides once about the branches of one Lakebase project: who manages them, whose login applications get, which sources may be forked, by which namespaces, and for how long.',
  );

/** As the API server returns it: defaults filled in. */
export type BranchClassSpec = z.output<typeof spec>;
export type BranchClassStatus = z.output<typeof status>;

export interface BranchClass {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: BranchClassSpec;
  status?: BranchClassStatus;
}
