// PointInTimeRestore: the undo button. Makes one DatabaseBranch of the past, and stays as the record of it.
import * as z from 'zod';
import { credentials, endpoint, expiration, longestName, verify } from './database-branch.ts';
import {
  conditions,
  duration,
  immutable,
  instant,
  labels,
  lsn,
  maxSkew,
  objectName,
  observedGeneration,
  providerId,
  keysAreQualifiedNames,
  statusText,
  statusTime,
  withRules,
  type Condition,
  type ObjectMeta,
} from './schema.ts';

const source = withRules(
  z.object({
    className: objectName()
      .exactOptional()
      .describe('The BranchClass whose project holds the branch. Without it, the class named default.'),
    branch: providerId('branch').exactOptional().describe('Id of the branch to go back on, like production.'),
    databaseBranchRef: z
      .object({ name: objectName(longestName).describe('Name of the DatabaseBranch.') })
      .exactOptional()
      .describe(
        'Or a DatabaseBranch of this namespace to go back on. It must have said children: Allow before the restore is needed: a branch that the provider expires cannot be a parent.',
      ),
  }),
  {
    rule: '[has(self.branch), has(self.databaseBranchRef)].filter(set, set).size() == 1',
    message: 'set exactly one of branch and databaseBranchRef',
  },
  {
    rule: '!has(self.className) || !has(self.databaseBranchRef)',
    message: 'leave out className: a restore from a DatabaseBranch uses the class of that',
  },
);

const target = withRules(
  z.object({
    time: instant()
      .exactOptional()
      .describe('The instant to go back to: a time with its zone, like 2026-09-21T22:56:02Z.'),
    lsn: lsn().exactOptional().describe('Or a position of the write-ahead log of the source.'),
    ago: duration('ago', '1s', '840h')
      .exactOptional()
      .describe(
        'Or how long before the creation of this object, like 15m. For hands, not for Git: created again, it means another instant.',
      ),
  }),
  {
    rule: '[has(self.time), has(self.lsn), has(self.ago)].filter(set, set).size() == 1',
    message: 'set exactly one of time, lsn and ago',
  },
);

const ownKeys = {
  rule: "self.all(key, !key.startsWith('lakebranch.dev/'))",
  message: 'leave out keys under lakebranch.dev/: they belong to lakebranch',
};

const branchTemplate = z.object({
  metadata: z
    .object({
      name: objectName(longestName)
        .exactOptional()
        .describe('Name of the DatabaseBranch. Without it, the name of this object.'),
      labels: withRules(labels(), ownKeys).exactOptional().describe('Labels of the DatabaseBranch.'),
      annotations: withRules(
        z.record(z.string(), z.string().max(4096)).meta({ maxProperties: 32 }),
        keysAreQualifiedNames,
        ownKeys,
      )
        .exactOptional()
        .describe('Annotations of the DatabaseBranch.'),
    })
    .exactOptional()
    .describe('Name, labels and annotations of the DatabaseBranch.'),
  spec: z
    .object({
      expiration: expiration
        .exactOptional()
        .describe('When the restored branch ends. Without it, the default of the class.'),
      children: z
        .enum(['Forbid', 'Allow'])
        .exactOptional()
        .describe('Allow: others may be forked from the restored branch. Without it, Forbid.'),
      endpoint: endpoint.exactOptional().describe('Size of the endpoint.'),
      credentials: credentials.exactOptional().describe('The Secret with the login.'),
      verify: verify.exactOptional().describe('What is checked before the Secret is first written.'),
    })
    .exactOptional()
    .describe('As in a DatabaseBranch.'),
});

const spec = withRules(
  z.object({
    source: source.describe('What to go back on.'),
    target: target.describe('How far to go back.'),
    maxSkew: maxSkew()
      .default('60s')
      .describe(
        'How far before the instant that was asked for the data may lie. Further back, or after it, the restore fails and leaves no branch.',
      ),
    branchTemplate: branchTemplate.exactOptional().describe('What the DatabaseBranch should be like.'),
  }),
  immutable('a restore cannot be changed, because it is the record of what was done: create another one'),
);

const status = z.object({
  observedGeneration: observedGeneration().exactOptional(),
  requestedTime: statusTime().exactOptional().describe('The instant that was asked for.'),
  actualTime: statusTime()
    .exactOptional()
    .describe('The instant whose data the branch holds, as the provider says: at or before the one asked for.'),
  skewSeconds: z
    .int()
    .exactOptional()
    .describe(
      'How many seconds lie between them, rounded up. Absent: not known, or the provider only repeated what it was asked for.',
    ),
  actualLSN: statusText().exactOptional().describe('The data as a position of the write-ahead log of the source.'),
  window: z
    .object({
      earliest: statusTime().describe('The earliest instant that could be asked for when this restore began.'),
      latest: statusTime().describe('The latest one: when this restore began.'),
    })
    .exactOptional()
    .describe('Between which instants a restore was possible.'),
  branchRef: z
    .object({ name: statusText().describe('Name of the DatabaseBranch.') })
    .exactOptional()
    .describe('The DatabaseBranch that was made. It outlives this object and has an expiry of its own.'),
  startTime: statusTime().exactOptional().describe('When the restore began.'),
  completionTime: statusTime().exactOptional().describe('When it ended, well or not.'),
  durationMilliseconds: z.int().min(0).exactOptional().describe('How long it took.'),
  conditions: conditions()
    .exactOptional()
    .describe('Succeeded tells how it ended; Ready, Reconciling and Stalled say the same to tools that wait.'),
});

const before = (type: string): Condition => ({
  type,
  status: 'Unknown',
  reason: 'Pending',
  message: 'Waiting for controller',
  lastTransitionTime: '1970-01-01T00:00:00Z',
});

export const pointInTimeRestoreSchema = withRules(
  z.object({
    spec: spec.describe('What to bring back.'),
    status: status
      .default({ observedGeneration: -1, conditions: [before('Ready'), before('Succeeded')] })
      .describe('What became of it.'),
  }),
  {
    rule: `self.metadata.name.size() <= ${longestName}`,
    message: `metadata.name must have at most ${longestName} characters, so that it fits into a label: shorten it`,
  },
).describe(
  'A PointInTimeRestore brings back what a branch held at an instant of the past: as a new DatabaseBranch with a login of its own, within seconds, while the source is not touched. It is done once, and stays as the record of it.',
);

/** As the API server returns it: defaults filled in. */
export type PointInTimeRestoreSpec = z.output<typeof spec>;
export type PointInTimeRestoreStatus = z.output<typeof status>;

export interface PointInTimeRestore {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: PointInTimeRestoreSpec;
  status?: PointInTimeRestoreStatus;
}
