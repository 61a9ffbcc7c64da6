// Passwords for databases: a token with a life, minted for an endpoint.
import { z } from 'zod';
import { findBranch, findProject, ok, parse, type Answer, type Call } from '../call.ts';
import { Refusal } from '../errors.ts';
import { durationField, timestampField } from '../fields.ts';
import { timestamp } from '../format.ts';
import { credentialSeconds } from '../limits.ts';
import { newUuid } from '../random.ts';
import { entry, type EndpointRecord } from '../state.ts';
import { apiPrefix, type Route } from './route.ts';

export const credentialRoutes: readonly Route[] = [{ method: 'POST', path: `${apiPrefix}/credentials`, handle: mint }];

/** `claims` narrow the access to tables of a catalog, which this emulator does not have. */
const schema = z.object({
  endpoint: z.string().default(''),
  ttl: durationField.optional(),
  expire_time: timestampField.optional(),
});

async function mint(call: Call): Promise<Answer> {
  const { workspace, principal } = call;
  const input = parse(schema, call.body);
  if (input.endpoint === '') throw new Refusal('fieldRequired', { field: 'endpoint' });
  const endpoint = endpointNamed(call, input.endpoint);
  const now = workspace.now();
  const askedMs = askedLifeMs(input, now);
  const { grantedSeconds } = workspace.faults.behaviour;
  const expiresAt = now + Math.min(askedMs, (grantedSeconds ?? Infinity) * 1000);
  const token = await workspace.tokens.sign(
    { use: 'database', identity: principal.name, endpointUid: endpoint.uid, expiresAt },
    now,
    newUuid(workspace.random),
  );
  workspace.journal.note(now, {
    what: 'credential.mint',
    name: input.endpoint,
    uid: endpoint.uid,
    by: principal.name,
  });
  return ok({ token, expire_time: timestamp(expiresAt) });
}

function endpointNamed(call: Call, name: string): EndpointRecord {
  const match = /^projects\/([^/]+)\/branches\/([^/]+)\/endpoints\/([^/]+)$/.exec(name);
  if (!match) throw new Refusal('invalidField', { field: 'endpoint', problem: 'is not the full name of an endpoint' });
  const [, projectId = '', branchId = '', endpointId = ''] = match;
  const project = findProject(call, projectId, 'CAN_USE');
  const endpoint = entry(findBranch(call, project, branchId).endpoints, endpointId);
  if (!endpoint) throw new Refusal('endpointMissing');
  return endpoint;
}

/** A request is in flight for a while: what was an allowed instant when it was sent still is. */
const transitMs = 60_000;

function askedLifeMs(input: z.infer<typeof schema>, now: number): number {
  const { ttl, expire_time: expireTime } = input;
  if (ttl !== undefined && expireTime !== undefined) {
    throw new Refusal('invalidField', { field: 'ttl', problem: 'only one of ttl and expire_time can be set' });
  }
  const { least, most } = credentialSeconds;
  if (expireTime !== undefined) {
    const lifeMs = expireTime - now;
    if (lifeMs < least * 1000 - transitMs || lifeMs > most * 1000 + transitMs) {
      throw new Refusal('invalidField', {
        field: 'expire_time',
        problem: 'must lie between 5 minutes and 1 hour ahead',
      });
    }
    return lifeMs;
  }
  const seconds = ttl ?? most;
  if (seconds < least || seconds > most) {
    throw new Refusal('invalidField', { field: 'ttl', problem: `must lie between ${least}s and ${most}s` });
  }
  return seconds * 1000;
}
