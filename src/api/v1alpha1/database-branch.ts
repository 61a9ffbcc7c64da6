// DatabaseBranch: what a developer, a chart or CI applies to get a database of their own.
import * as z from 'zod';
import { managedByLabel, secretKeys } from '../names.ts';
import { databaseBranchStatus } from './database-branch-status.ts';
import {
  celText,
  computeUnits,
  duration,
  endpointRule,
  immutable,
  instant,
  keysAreQualifiedNames,
  labels,
  lsn,
  maxSkew,
  objectName,
  providerId,
  statusBeforeFirstLook,
  withRules,
  type ObjectMeta,
  type Rule,
} from './schema.ts';

/** Names of our objects fit into a label. */
export const longestName = 63;

const source = withRules(
  z.object({
    branch: providerId('branch')
      .exactOptional()
      .describe('Id of the branch to fork, like production. The class must allow it.'),
    databaseBranchRef: z
      .object({ name: objectName(longestName).describe('Name of the DatabaseBranch.') })
      .exactOptional()
      .describe(
        'Another DatabaseBranch whose branch is forked. It must be in this namespace, have the same className, and say children: Allow. Until it is Ready, this object waits.',
      ),
    time: instant()
      .exactOptional()
      .describe(
        'Fork the source as it was at this instant, instead of now: with its zone, like 2026-09-21T22:56:02Z. The class must allow restores. The provider may go back a few seconds further; status.restored tells how far.',
      ),
    lsn: lsn()
      .exactOptional()
      .describe('Fork the source as it was at this position of its write-ahead log. The class must allow restores.'),
    maxSkew: maxSkew()
      .exactOptional()
      .describe(
        'With time: how far before that instant the data may lie. If it lies further back, or after it, the branch is deleted and no login is handed out. Without it, 60s.',
      ),
  }),
  {
    rule: '[has(self.branch), has(self.databaseBranchRef)].filter(set, set).size() == 1',
    message: 'set exactly one of branch and databaseBranchRef, or leave out source: then the class decides',
  },
  { rule: '!has(self.time) || !has(self.lsn)', message: 'set at most one of time and lsn' },
  { rule: '!has(self.maxSkew) || has(self.time)', message: 'maxSkew goes with time: leave it out, or set time' },
);

export const expiration = withRules(
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

export const endpoint = withRules(
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

const reset = z.object({
  token: z
    .string()
    .max(63)
    .default('')
    .describe(
      'Any value that this object has not had before asks for a fresh branch under the same Secret, for example a date. Writing the former value back before the switch cancels the reset. A value whose branch was deleted makes no second one.',
    ),
  strategy: z
    .enum(['Switch', 'Replace'])
    .default('Switch')
    .describe(
      'Switch: the old branch is served until the fresh one is ready; this needs a free branch of the project for a while. Replace: the old branch is deleted first, so that no free one is needed; until the fresh one is ready there is no Secret.',
    ),
  drain: duration('drain', '2m', '24h')
    .default('5m')
    .describe(
      'How long the old branch lives on after the switch, for pods that still hold the old login. What is written to it then is lost. Not shorter than 2m: a kubelet needs up to a minute and a half to show the new Secret.',
    ),
});

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
    refusedMetadata([]),
  )
    .exactOptional()
    .describe(
      'Further annotations of the Secret. reloader.stakater.com/ignore: "false" lets Reloader restart its users at each new token.',
    ),
});

export const credentials = z.object({
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

export const verify = z.object({
  login: z
    .enum(['Auto', 'Never'])
    .default('Auto')
    .describe(
      'Auto: the operator logs in once before it first writes the Secret, and says so if it has no network path. Never: it does not try.',
    ),
});

const retains = "(has(self.deletionPolicy) && self.deletionPolicy == 'Retain')";

/** CEL: the reset token of a spec; without one it is empty. */
const resetToken = (spec: string): string =>
  `(has(${spec}.reset) && has(${spec}.reset.token) ? ${spec}.reset.token : '')`;

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
      .describe(
        'What to fork. Without it, the default source of the class. It may change only together with reset.token, because the data of a branch comes from one fork.',
      ),
    children: z
      .enum(['Forbid', 'Allow'])
      .default('Forbid')
      .describe(
        'Forbid: no branch can be forked from this one, and the provider removes it by itself soon after operator and cluster are gone (see lease in the class). Allow: other objects may name it in source.databaseBranchRef; the provider keeps no expiry for such a branch, so that only the operator ends it.',
      ),
    expiration: expiration
      .exactOptional()
      .describe(
        'When the branch ends: its Secret and its data are then deleted, this object stays. Without it, the default of the class. May be changed while the branch lives.',
      ),
    endpoint: endpoint
      .exactOptional()
      .describe('Size of the endpoint. What is left out comes from the class, then from the provider.'),
    deletionPolicy: z
      .enum(['Delete', 'Retain'])
      .default('Delete')
      .describe(
        'Delete: the branch goes when this object is deleted. Retain: it then stays at the provider until the expiry that spec.expiration asked for. At that expiry it goes in either case.',
      ),
    credentials: credentials.prefault({}).describe('The Secret with the login.'),
    reset: reset.exactOptional().describe('How to begin anew: a fresh branch under the same Secret.'),
    verify: verify.exactOptional().describe('What is checked before the Secret is first written.'),
  }),
  // The default of `spec` is checked before the fields within it have theirs: hence every has().
  {
    rule: `!${retains} || !has(self.expiration) || !has(self.expiration.never)`,
    message:
      'a retained branch needs an end, because nobody else removes it: write expiration.ttl or expiration.at instead of never, or deletionPolicy: Delete',
    fieldPath: '.deletionPolicy',
  },
  {
    rule: `!${retains} || !has(self.children) || self.children != 'Allow'`,
    message:
      'a retained branch cannot have children, because the provider would not expire it: write children: Forbid, or deletionPolicy: Delete',
    fieldPath: '.deletionPolicy',
  },
  {
    rule:
      `${resetToken('self')} != ${resetToken('oldSelf')} || ` +
      '(has(self.source) == has(oldSelf.source) && (!has(self.source) || self.source == oldSelf.source))',
    message:
      'source can only change together with reset.token, because the data of a branch comes from one fork: set a new reset.token in the same edit',
    fieldPath: '.source',
  },
);

export const databaseBranchSchema = withRules(
  z.object({
    spec: spec
      .prefault({})
      .describe('What the branch should be like. May be empty: then everything comes from the class named default.'),
    status: databaseBranchStatus
      .default(statusBeforeFirstLook())
      .describe('What the operator found and did. Nothing is decided by it alone.'),
  }),
  {
    rule: `self.metadata.name.size() <= ${longestName}`,
    message: `metadata.name must have at most ${longestName} characters, so that it fits into a label: shorten it`,
  },
  {
    rule:
      '!has(self.spec.source) || !has(self.spec.source.databaseBranchRef) || ' +
      'self.spec.source.databaseBranchRef.name != self.metadata.name',
    message: 'an object cannot be its own source: name another DatabaseBranch',
    fieldPath: '.spec.source.databaseBranchRef.name',
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
export type DatabaseBranchStatus = z.output<typeof databaseBranchStatus>;

export interface DatabaseBranch {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: DatabaseBranchSpec;
  status?: DatabaseBranchStatus;
}
