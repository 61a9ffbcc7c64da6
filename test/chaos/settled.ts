// What each object must have come to once nothing goes wrong any more: Ready with a Secret that is all that its spec
// asks for, or waiting for a reason that its spec, its class, its namespace, a person or the provider explains.
import { databaseBranchResource, pausedValue, secretResource } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { Reason } from '../../src/api/v1alpha1/reasons.ts';
import { rotateTokenHash, type IssuedSecret, type Secret } from '../../src/credentials/secret.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { keyOf } from '../../src/kit/kube.ts';
import { explanations, pauseOf, resetIsHeld, type Place } from './explained.ts';
import type { Present } from './history.ts';
import { netMs, type BranchRecord, type Ledger, type ObjectRecord } from './ledger.ts';
import { seenByOwner } from './secret-laws.ts';

/** What is wrong with each object that is not settled; objects that are being deleted have their own time. */
export function unsettled(history: Present, ledger: Ledger, now: Date): string[] {
  return history
    .all<DatabaseBranch>(databaseBranchResource)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap((object) => {
      const record = ledger.objects.get(object.metadata.uid ?? '');
      const complaint = record && complaintOf({ history, ledger, object, record, now });
      if (complaint === undefined) return [];
      const conditions = (object.status?.conditions ?? []).map(
        ({ type, status, reason, message }) => `${type}=${status} ${reason} (${message})`,
      );
      return [`${keyOf(object.metadata)}: ${complaint}\n    ${conditions.join('\n    ')}`];
    });
}

/** Objects that say to be Ready with a token that is dead for longer than it takes to say so. */
export function deadTokens(history: Present, now: Date): string[] {
  return history.all<DatabaseBranch>(databaseBranchResource).flatMap(({ metadata, spec, status }) => {
    const ready = findCondition(status?.conditions ?? [], 'Ready')?.status === 'True';
    const name = `${metadata.namespace}/${spec.credentials.secretName ?? metadata.name}`;
    const secret = history.get<Secret>(secretResource, name);
    const seen = secret && seenByOwner(secret);
    if (!ready || seen?.is !== 'ours' || metadata.deletionTimestamp !== undefined) return [];
    const { expireTime } = seen.secret;
    if (expireTime.getTime() > now.getTime() - sayingMs) return [];
    return [`${keyOf(metadata)} is Ready with a token that died at ${expireTime.toISOString()}, and nothing is wrong`];
  });
}

const sayingMs = 1500;

/** Undefined: it is settled. */
function complaintOf(place: Place): string | undefined {
  const { object, record, history } = place;
  const { metadata, status, spec } = object;
  // An edit counts as answered when it is carried out; one that is held up is not.
  if (status?.observedGeneration !== metadata.generation && pauseOf(place) === undefined && !resetIsHeld(place))
    return `the status answers to generation ${status?.observedGeneration}, the spec has ${metadata.generation}`;
  const ready = findCondition(status?.conditions ?? [], 'Ready');
  const secretName = `${metadata.namespace}/${spec.credentials.secretName ?? metadata.name}`;
  const secret = history.get<Secret>(secretResource, secretName);
  if (ready?.status === 'True') return record.ended ? 'Ready, although it has ended' : unfit(place, secret);
  const explained = explanations(place, secret);
  const reason = ready?.reason ?? '';
  if (!explained.has(reason))
    return `not Ready for ${reason}, which nothing explains (it could be ${[...explained].join(', ') || 'nothing'})`;
  if (record.ended) return remains(place, secret);
  return refusals.has(reason) && status?.credentials ? neglected(place, secret) : strays(place);
}

/** What a person asked for cannot be had; what is served goes on meanwhile. */
const refusals = new Set<string>([
  Reason.TemplateInvalid,
  Reason.ExpirationExceedsMaximum,
  Reason.EndpointSizeNotAllowed,
  Reason.SourceNotAllowed,
  Reason.ResetTokenReused,
]);

/** An ended object keeps neither Secret nor branch. */
function remains({ record, ledger }: Place, secret: Secret | undefined): string | undefined {
  if (secret && seenByOwner(secret)?.is === 'ours' && secret.metadata.ownerReferences?.[0]?.uid === record.uid)
    return 'it has ended, and its Secret is still there';
  const [left] = branchesOf(record, ledger);
  return left && `it has ended, and its branch ${left.id} is still there`;
}

const branchesOf = ({ tag }: ObjectRecord, ledger: Ledger): BranchRecord[] =>
  [...ledger.branches.values()].filter(({ id, live }) => live && id.includes(`-${tag}-`));

interface Faults {
  readonly issued: IssuedSecret;
  readonly branch: BranchRecord | undefined;
}

/** What a Ready object lacks. */
function unfit(place: Place, secret: Secret | undefined): string | undefined {
  const neglect = neglected(place, secret);
  const found = served(place, secret);
  // Who stopped everything gets no more than what was there.
  if (neglect !== undefined || typeof found === 'string' || pauseOf(place) === pausedValue.all) return neglect;
  const { object, record, ledger } = place;
  const { issued, branch } = found;
  const { template, rotateToken = '' } = object.spec.credentials;
  const lacking = Object.keys(template?.data ?? {}).filter((key) => secret?.data?.[key] === undefined);
  const wanted = ledger.wantedId(record);
  const faults: readonly (readonly [boolean, string])[] = [
    [issued.rotateTokenHash !== rotateTokenHash(rotateToken), 'the last rotateToken was not honoured'],
    [lacking.length > 0, `its Secret lacks the keys ${lacking.join(', ')} of the template`],
    [branch?.id !== wanted && !resetIsHeld(place), `it serves ${branch?.id}, it wants ${wanted}`],
  ];
  return faults.find(([holds]) => holds)?.[1];
}

/** The credential and the branch that it opens; or why there is none. */
function served({ ledger }: Place, secret: Secret | undefined): Faults | string {
  const seen = secret && seenByOwner(secret);
  if (!secret || seen?.is !== 'ours') return `its Secret is ${secret ? (seen?.is ?? 'without an owner') : 'missing'}`;
  return { issued: seen.secret, branch: ledger.branches.get(seen.secret.binding.branchUid) };
}

/** What is wrong with what is served, whatever else the spec asks for. */
function neglected(place: Place, secret: Secret | undefined): string | undefined {
  const found = served(place, secret);
  if (typeof found === 'string') return `it should be served, and ${found}`;
  const { object, record, now } = place;
  const { issued, branch } = found;
  const faults: readonly (readonly [boolean, string])[] = [
    [secret?.metadata.ownerReferences?.[0]?.uid !== record.uid, 'its Secret belongs to another object'],
    [issued.expireTime <= now, `its token died at ${issued.expireTime.toISOString()}`],
    [pauseOf(place) !== pausedValue.all && !branch?.live, `its branch ${issued.binding.branchUid} is not live`],
    [branch?.live === true && branch.facts.state !== 'READY', 'its branch is not READY'],
    [branch !== undefined && !hasRole(branch, issued.binding.username), 'its login has no role on the branch'],
    [object.status?.branch?.uid !== issued.binding.branchUid, 'status.branch is not the branch of the Secret'],
    [object.status?.credentials?.revision !== issued.revision, 'status.credentials is not of the Secret'],
    [branch?.live === true && lostLease(branch, place), 'its branch would outlive its lease, or die before its time'],
  ];
  return faults.find(([holds]) => holds)?.[1] ?? strays(place);
}

const hasRole = ({ facts }: BranchRecord, username: string): boolean =>
  Object.values(facts.roles).some(({ postgresRole }) => postgresRole === username);

const dayMs = 24 * 3_600_000;
const marginMs = 90_000;

/**
 * Of a served branch. A leased one goes never later than its end and its lease allow, and never so early that an outage
 * would kill it. One that is retained, or whose care was stopped, has its end set for good; one that allows children has none.
 */
function lostLease({ facts: { expiresAt } }: BranchRecord, place: Place): boolean {
  const { object, now } = place;
  const { children, deletionPolicy } = object.spec;
  if (children === 'Allow') return expiresAt !== undefined;
  if (expiresAt === undefined) return true;
  const end = object.status?.expiration?.expireTime;
  const endMs = end === undefined ? Infinity : Date.parse(end) + netMs;
  if (deletionPolicy === 'Retain' || pauseOf(place) === pausedValue.all) return Math.abs(expiresAt - endMs) > marginMs;
  const tooLate = expiresAt > Math.min(endMs, now.getTime() + 4 * dayMs) + marginMs;
  const tooEarly = expiresAt < Math.min(endMs, now.getTime() + 3 * dayMs) - marginMs;
  return tooLate || tooEarly;
}

/** The longest `reset.drain` that the script asks for is the default. */
const longestDrainMs = 5 * 60_000;

/**
 * Beside the branch that it wants and the one that is served only those that drain, and have their end set. One that is on
 * no record, because it was given up before it was noted or because the record was wiped, is found when the operator looks
 * around, or else when its lease ends; and while nothing is served, none has to drain.
 */
function strays(place: Place): string | undefined {
  const { record, ledger, object, now } = place;
  if (pauseOf(place) === pausedValue.all) return undefined;
  const wanted = ledger.wantedId(record);
  const drains = (uid: string): boolean => object.status?.branch !== undefined && record.recorded.has(uid);
  const goes = ({ uid, facts: { expiresAt = Infinity } }: BranchRecord): boolean =>
    expiresAt <= now.getTime() + (drains(uid) ? longestDrainMs : 4 * dayMs) + marginMs;
  const stray = branchesOf(record, ledger).find(
    (branch) => branch.uid !== object.status?.branch?.uid && branch.id !== wanted && !goes(branch),
  );
  return stray && `its branch ${stray.id} is neither served nor wanted, and is not on its way out`;
}
