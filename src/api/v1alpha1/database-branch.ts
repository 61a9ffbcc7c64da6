// DatabaseBranch: what a developer, a chart or CI applies to get a database of their own.
import * as z from 'zod';
import { managedByLabel, quietAnnotations, secretKeys } from '../names.ts';
import {
  celText,
  computeUnits,
  conditions,
  duration,
  endpointRule,
  immutable,
  instant,
  keysAreQualifiedNames,
  labels,
  objectName,
  observedGeneration,
  providerId,
  statusBeforeFirstLook,
  statusText,
  statusTime,
  withRules,
  type ObjectMeta,
  type Rule,
} from './schema.ts';

const source = z.object({
  branch: providerId('branch').describe('Id of the branch to fork, like production. The class must allow it.'),
});

const expiration = withRules(
  z.object({
    ttl: duration('ttl', '10m', '720h')
      .exactOptional()
      .describe('Life of the branch, counted from the creation of this object.'),
    at: instant().exactOptional().describe('When the branch ends: a time with its zone, like 2026-09-21T22:56:02Z.'),
    never: z
      .boolean()
      .exactOptional()
      .describe('Only true: the branch lives as long as this object. Needs allowNever in the class.'),
  }),
  {
    rule: '[has(self.ttl), has(self.at), has(self.never)].filter(set, set).size() <= 1',
    message: 'set at most one of ttl, at and never',
  },
  { rule: '!has(self.never) || self.never', message: 'never can only be true: leave it out and set ttl or at' },
);

const endpoint = withRules(
  z.object({
    minCU: computeUnits().exactOptional().describe('Compute units that the running endpoint keeps at least.'),
    maxCU: computeUnits()
      .exactOptional()
      .describe('Compute units up to which the endpoint grows; at most 16 above minCU.'),
    suspendAfter: duration('suspendAfter', '1m', '168h')
      .exactOptional()
      .describe('Time without connections after which the endpoint sleeps. The next connection wakes it.'),
  }),
  endpointRule,
);

const inList = (names: readonly string[]): string => `[${names.map(celText).join(', ')}]`;

/** Text in which every `{{` opens `{{ .key }}` with a key of the Secret. */
const templateText = `^([^{]|\\{[^{]|\\{\\{\\s*\\.(${secretKeys.join('|')})\\s*\\}\\})*\\{?$`;

const templateData = withRules(
  z.record(z.string(), z.string().max(4096)).meta({ maxProperties: 32 }),
  {
    rule: "self.all(key, key.matches('^[-._a-zA-Z0-9]{1,253}$'))",
    message: 'write keys of letters, digits, -, _ and .',
  },
  {
    rule: `self.all(key, !(key in ${inList(secretKeys)}))`,
    message: `these keys are lakebranch’s own, choose others: ${secretKeys.join(', ')}`,
  },
  {
    rule: `self.all(key, self[key].matches(${celText(templateText)}))`,
    message: `only {{ .key }} is replaced, with one of the keys ${secretKeys.join(', ')}: write for example {{ .uri }}`,
  },
);

/** Labels and annotations that mean something to other tools, or that are ours. */
const refusedMetadata = (ours: readonly string[]): Rule => ({
  rule:
    "self.all(key, !key.startsWith('argocd.argoproj.io/') && !key.startsWith('kubernetes.io/') && " +
    `!key.startsWith('lakebranch.dev/') && !(key in ${inList(['app.kubernetes.io/instance', ...ours])}))`,
  message: `leave out keys under argocd.argoproj.io/, kubernetes.io/ and lakebranch.dev/, and ${['app.kubernetes.io/instance', ...ours].join(', ')}: they belong to other tools or to lakebranch`,
});

const template = z.object({
  data: templateData
    .exactOptional()
    .describe(
      'Further keys of the Secret. {{ .key }} is replaced by the value of one of its own keys, and nothing else is: DATABASE_URL: "{{ .uri }}".',
    ),
  labels: withRules(labels(), refusedMetadata([managedByLabel.key]))
    .exactOptional()
    .describe('Further labels of the Secret.'),
  annotations: withRules(
    z.record(z.string(), z.string().max(4096)).meta({ maxProperties: 32 }),
    keysAreQualifiedNames,
    refusedMetadata(Object.keys(quietAnnotations).filter((key) => !key.startsWith('argocd.argoproj.io/'))),
  )
    .exactOptional()
    .describe('Further annotations of the Secret.'),
});

const credentials = z.object({
  secretName: objectName()
    .exactOptional()
    .describe(
      'Name of the Secret that is written into this namespace. Without it, the name of this object. Cannot be changed.',
    ),
  database: withRules(z.string().min(1).max(63), {
    rule: "!self.matches('[[:cntrl:]]')",
    message: 'write the name of a Postgres database, without control characters',
  })
    .default('databricks_postgres')
    .describe('Postgres database that the Secret names. It must exist on the source.'),
  tokenTTL: duration('tokenTTL', '15m', '1h')
    .default('1h')
    .describe(
      'Life of the tokens in the Secret; each is replaced at about half of it. Not shorter than 15m: a provider outage, and the minute and a half that a kubelet takes to show a new Secret, must fit into the rest.',
    ),
  template: template.exactOptional().describe('What else the Secret should hold.'),
  rotateToken: z
    .string()
    .max(253)
    .exactOptional()
    .describe(
      'Any new value replaces the token in the Secret now, for example a date. The old token stays valid until it expires: the provider cannot revoke it.',
    ),
});

const verify = z.object({
  login: z
    .enum(['Auto', 'Never'])
    .default('Auto')
    .describe(
      'Auto: the operator logs in once before it first writes the Secret, and says so if it has no network path. Never: it does not try.',
    ),
});

const spec = withRules(
  z.object({
    className: withRules(
      objectName(),
      immutable('className cannot be changed: delete the object and create it again in the other class'),
    )
      .default('default')
      .describe('The BranchClass to use. Cannot be changed.'),
    source: source
      .exactOptional()
      .describe('What to fork. Without it, the default source of the class. Cannot be changed.'),
    expiration: expiration
      .exactOptional()
      .describe(
        'When the branch ends: its Secret and its data are then deleted, this object stays. Without it, the default of the class. May be changed while the branch lives.',
      ),
    endpoint: endpoint
      .exactOptional()
      .describe('Size of the endpoint. What is left out comes from the class, then from the provider.'),
    credentials: credentials.prefault({}).describe('The Secret with the login.'),
    verify: verify.exactOptional().describe('What is checked before the Secret is first written.'),
  }),
  {
    rule: 'has(self.source) == has(oldSelf.source) && (!has(self.source) || self.source == oldSelf.source)',
    message:
      'source cannot be changed: the data of a branch comes from one fork; delete the object and create it again',
    fieldPath: '.source',
  },
);

const branchIdentity = {
  id: statusText().describe('Id of the branch at the provider, as its UI shows it.'),
  uid: statusText().describe('Uid of the branch at the provider; never used twice.'),
};

const servedBranch = z.object({
  ...branchIdentity,
  name: z.string().max(512).exactOptional().describe('Full name at the provider: projects/…/branches/….'),
  workspace: statusText().exactOptional().describe('Host of the workspace in which the branch was made.'),
  project: statusText().exactOptional().describe('Id of the project in which the branch was made.'),
  source: z
    .object({
      branch: statusText().exactOptional().describe('Id of the branch that was forked.'),
      time: statusTime().exactOptional().describe('The instant of the source whose data the branch began with.'),
      lsn: statusText().exactOptional().describe('The same as a position in the write-ahead log of the source.'),
    })
    .exactOptional()
    .describe('What the branch was made from, as the provider says.'),
  createTime: statusTime().exactOptional().describe('When the provider made the branch.'),
});

const status = z.object({
  observedGeneration: observedGeneration().exactOptional(),
  branch: servedBranch.exactOptional().describe('The branch whose login is in the Secret.'),
  candidate: z
    .object(branchIdentity)
    .exactOptional()
    .describe('The branch that is being prepared, and has no login yet.'),
  endpoint: z
    .object({
      name: z.string().max(512).exactOptional().describe('Full name at the provider.'),
      uid: statusText().describe('Uid of the endpoint at the provider.'),
      host: statusText().describe('Host of the database, as in the Secret.'),
    })
    .exactOptional()
    .describe('Where the branch answers.'),
  expiration: z
    .object({
      expireTime: statusTime().exactOptional().describe('When the branch ends. Absent: never.'),
      leaseTime: statusTime()
        .exactOptional()
        .describe(
          'When the provider itself removes the branch, unless the operator pushes it forward before; last seen.',
        ),
      enforcedBy: z
        .enum(['Provider', 'Operator'])
        .exactOptional()
        .describe(
          'Provider: the branch goes even if operator and cluster are gone. Operator: only the operator ends it.',
        ),
      pinnedFrom: statusText()
        .exactOptional()
        .describe(
          'Hash of the spec.expiration from which expireTime was computed; an edit of the class does not move it.',
        ),
    })
    .exactOptional()
    .describe('When the branch ends, and who sees to it.'),
  credentials: z
    .object({
      secretName: statusText().describe('Name of the Secret.'),
      username: statusText().describe('Postgres user of the login.'),
      issueTime: statusTime().describe('When the token in the Secret was asked for.'),
      expireTime: statusTime().describe('When the token in the Secret dies.'),
      renewTime: statusTime().exactOptional().describe('When the token in the Secret is replaced.'),
      revision: z.int().min(0).describe('Counts the tokens written into the Secret.'),
    })
    .exactOptional()
    .describe('The login in the Secret.'),
  binding: z
    .object({ name: statusText().describe('Name of the Secret.') })
    .exactOptional()
    .describe('The Secret, where implementations of servicebinding.io look for it.'),
  conditions: conditions().exactOptional().describe('Ready sums up. docs/reasons.md explains every reason.'),
});

export const databaseBranchSchema = withRules(
  z.object({
    spec: spec
      .prefault({})
      .describe('What the branch should be like. May be empty: then everything comes from the class named default.'),
    status: status
      .default(statusBeforeFirstLook())
      .describe('What the operator found and did. Nothing is decided by it alone.'),
  }),
  {
    rule: 'self.metadata.name.size() <= 63',
    message: 'metadata.name must have at most 63 characters, so that it fits into a label: shorten it',
  },
  {
    rule:
      '(has(self.spec.credentials.secretName) ? self.spec.credentials.secretName : self.metadata.name) == ' +
      '(has(oldSelf.spec.credentials.secretName) ? oldSelf.spec.credentials.secretName : oldSelf.metadata.name)',
    message:
      'credentials.secretName cannot be changed, because pods read that Secret: delete the object and create it again',
    fieldPath: '.spec.credentials.secretName',
  },
).describe(
  'A DatabaseBranch is a Postgres database of its own, forked from a branch of a Lakebase project within seconds. Its login is in a Secret of this namespace and is kept fresh; the branch goes when this object goes, or when it expires.',
);

/** As the API server returns it: defaults filled in. */
export type DatabaseBranchSpec = z.output<typeof spec>;
export type DatabaseBranchStatus = z.output<typeof status>;

export interface DatabaseBranch {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: DatabaseBranchSpec;
  status?: DatabaseBranchStatus;
}
