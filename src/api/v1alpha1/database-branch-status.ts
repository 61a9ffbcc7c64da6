// What the operator says about a DatabaseBranch. A part of database-branch.ts.
import * as z from 'zod';
import { conditions, observedGeneration, statusText, statusTime } from './schema.ts';

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
  resetToken: z.string().max(63).exactOptional().describe('The spec.reset.token that the branch was made for.'),
});

const supersededBranch = z.object({
  ...branchIdentity,
  until: statusTime()
    .exactOptional()
    .describe(
      'When the provider removes it. Absent: not settled yet, wanted again, or it cannot go; then Drifted says why.',
    ),
});

export const databaseBranchStatus = z.object({
  observedGeneration: observedGeneration().exactOptional(),
  branch: servedBranch.exactOptional().describe('The branch whose login is in the Secret.'),
  candidate: z
    .object(branchIdentity)
    .exactOptional()
    .describe('The branch that is being prepared, and has no login yet.'),
  superseded: z
    .array(supersededBranch)
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .exactOptional()
    .describe('Earlier branches of this object that are not gone yet.'),
  queue: z
    .object({
      position: z.int().min(1).describe('Place among all that wait for a branch of the project; 1 is next.'),
      nextSlotTime: statusTime()
        .exactOptional()
        .describe(
          'When, as far as can be seen, the next branch of the project goes and makes room. Absent: not known.',
        ),
    })
    .exactOptional()
    .describe('Where the object stands while it waits for a free branch of the project.'),
  restored: z
    .object({
      requestedTime: statusTime().exactOptional().describe('The instant that was asked for.'),
      requestedLSN: statusText().exactOptional().describe('The position of the write-ahead log that was asked for.'),
      actualTime: statusTime()
        .exactOptional()
        .describe(
          'The instant whose data the branch holds, as the provider says. The same as was asked for: the provider may only have repeated it, so it is not verified.',
        ),
      actualLSN: statusText().exactOptional().describe('The same as a position in the write-ahead log of the source.'),
    })
    .exactOptional()
    .describe('For a branch of the past: what was asked for, and what the provider made.'),
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
      clampedFrom: statusTime()
        .exactOptional()
        .describe('What the provider was asked for first, when it allows only a nearer expiry.'),
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
