// What is known of the run, from outside: the objects that ever were, the branches in the provider's books, what was
// done by hand, and which versions of Secrets are the tamperer's own work.
import { parseDuration } from '../../src/api/duration.ts';
import { annotationKey, databaseBranchResource, pausedValue } from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { keyOf, type ObjectKey } from '../../src/kit/kube.ts';
import { branchId, branchTag, endedMark, parseBranchId, sameBranch } from '../../src/lakebase/ids.ts';
import type { Key } from './operation.ts';
import type { Version } from './history.ts';

/** One DatabaseBranch that is or was. */
export interface ObjectRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly tag: string;
  /** Every `reset.token` that it ever had, and so every branch that it may ever have wanted. */
  readonly tokens: Set<string>;
  token: string;
  /** Those that it has given up at some time, for a reset or because what it had came to its end. */
  readonly abandoned: Set<string>;
  /** It is being deleted, or gone. */
  leaving: boolean;
  /** It has ended for its present token. */
  ended: boolean;
  /** Everything but deletion was stopped at some time. */
  stopped: boolean;
  /** The spec asks for the served branch to stay when the object goes. */
  retains: boolean;
  /** Uid of the branch that its status last called served. */
  servedUid: string | undefined;
  /** Uids of all branches that its status told of since it was last wiped. */
  readonly recorded: Set<string>;
  /** When the branch ends, as its status last said, in ms since the epoch. */
  end: number;
  /** The same as its spec asks for it, which an edit right before its deletion may have changed. */
  specEnd: number;
  /** The earliest end that any version of its spec asked for, in ms since the epoch. */
  earliestEnd: number;
}

export interface BranchRecord {
  readonly uid: string;
  readonly id: string;
  readonly project: string;
  /** Host by endpoint uid. */
  readonly hosts: Readonly<Record<string, string>>;
  /** Listed, and not on its way out. */
  readonly live: boolean;
  readonly facts: BranchFacts;
}

export class Ledger {
  readonly objects = new Map<string, ObjectRecord>();
  readonly byTag = new Map<string, ObjectRecord>();
  /** By uid; also those that the provider has forgotten meanwhile. */
  readonly branches = new Map<string, BranchRecord>();
  readonly #byHost = new Map<string, BranchRecord[]>();
  /** `project/id` of branches that a person made and that must stay. */
  readonly handMade = new Set<string>();
  /** Tags of objects whose branches a person has deleted. */
  readonly handDeleted = new Set<string>();
  /** What the API's own rules refused of our operations. */
  readonly forbidden = new Map<string, number>();
  readonly #tampered = new Set<string>();
  readonly #tamperings = new Set<(secret: Secret) => boolean>();
  clusterID = '';

  /** Every version of every object passes through here first. */
  note({ type, object, before }: Version): void {
    if (type.plural !== databaseBranchResource.plural) return;
    const { metadata, spec, status } = (object ?? before) as DatabaseBranch;
    const record = this.#recordOf(metadata);
    record.leaving ||= object === undefined || metadata.deletionTimestamp !== undefined;
    this.#noteToken(record, spec.reset?.token ?? '');
    const { [annotationKey.ended]: ended, [annotationKey.paused]: paused } = metadata.annotations ?? {};
    record.ended = ended?.split('/')[0] === endedMark(record.token);
    if (record.ended) record.abandoned.add(record.token);
    record.stopped ||= paused === pausedValue.all;
    record.retains = spec.deletionPolicy === 'Retain' && !record.ended;
    record.earliestEnd = Math.min(record.earliestEnd, endOf({ metadata, spec }));
    record.specEnd = spec.expiration === undefined ? Number.NaN : endOf({ metadata, spec });
    if (status === undefined) {
      record.recorded.clear();
      return;
    }
    record.servedUid = status.branch?.uid;
    for (const told of [status.branch, status.candidate, ...(status.superseded ?? [])])
      if (told) record.recorded.add(told.uid);
    record.end = Date.parse(status.expiration?.expireTime ?? '');
  }

  #noteToken(record: ObjectRecord, token: string): void {
    if (record.tokens.size > 0 && record.token !== token) record.abandoned.add(record.token);
    record.token = token;
    record.tokens.add(token);
  }

  #recordOf({ uid = '', namespace = '', name }: DatabaseBranch['metadata']): ObjectRecord {
    const known = this.objects.get(uid);
    if (known) return known;
    const record: ObjectRecord = {
      uid,
      namespace,
      name,
      tag: branchTag(this.clusterID, uid),
      tokens: new Set(),
      token: '',
      abandoned: new Set(),
      leaving: false,
      ended: false,
      stopped: false,
      retains: false,
      servedUid: undefined,
      recorded: new Set(),
      end: Number.NaN,
      specEnd: Number.NaN,
      earliestEnd: Infinity,
    };
    this.objects.set(uid, record);
    this.byTag.set(record.tag, record);
    return record;
  }

  /** The youngest object of the name that is not leaving. */
  uidOf(key: Key): string | undefined {
    return [...this.objects.values()].findLast((record) => !record.leaving && keyOf(record) === keyOf(key))?.uid;
  }

  /** Ids that the object may ever have wanted. */
  idsOf({ uid, namespace, name, tokens }: ObjectRecord): string[] {
    return [...tokens].map((resetToken) => branchId({ clusterID: this.clusterID, namespace, name, uid, resetToken }));
  }

  /** Whether the object has, at some time since it asked for this branch, given it up. */
  hasAbandoned({ uid, namespace, name, abandoned }: ObjectRecord, id: string): boolean {
    const { clusterID } = this;
    return [...abandoned].some((resetToken) =>
      sameBranch(branchId({ clusterID, namespace, name, uid, resetToken }), id),
    );
  }

  /** A branch that stays although its object is gone or going, because the object said so. */
  isRetained({ uid, id }: Pick<BranchRecord, 'uid' | 'id'>): boolean {
    const record = this.byTag.get(parseBranchId(id)?.tag ?? '');
    return record !== undefined && record.leaving && record.retains && record.servedUid === uid;
  }

  /** What is wrong with a retained branch: it must go by itself, and not before its end. */
  ill({ id, facts }: BranchRecord): string | undefined {
    const { end = Number.NaN, specEnd = Number.NaN } = this.byTag.get(parseBranchId(id)?.tag ?? '') ?? {};
    const { expiresAt } = facts;
    const isRight = (at: number): boolean => Math.abs((expiresAt ?? Number.NaN) - at - netMs) <= 90_000;
    if (isRight(end) || isRight(specEnd)) return undefined;
    const should = [end, specEnd].filter((at) => !Number.isNaN(at)).map((at) => new Date(at + netMs).toISOString());
    return `the retained branch ${id} should end at ${should.join(' or ')}, the provider was told ${expiresAt === undefined ? 'nothing' : new Date(expiresAt).toISOString()}`;
  }

  wantedId({ uid, namespace, name, token }: ObjectRecord): string {
    return branchId({ clusterID: this.clusterID, namespace, name, uid, resetToken: token });
  }

  /** The provider's books as they stand. */
  noteBranches(facts: readonly BranchFacts[]): void {
    for (const fact of facts) {
      const hosts = Object.fromEntries(
        Object.values(fact.endpoints).flatMap(({ uid, host }) => (host === undefined ? [] : [[uid, host]])),
      ) as Record<string, string>;
      const record: BranchRecord = {
        uid: fact.uid,
        id: fact.id,
        project: fact.project,
        hosts,
        live: fact.state !== 'DELETED' && !fact.deleting,
        facts: fact,
      };
      this.branches.set(fact.uid, record);
      for (const host of Object.values(hosts)) {
        const others = (this.#byHost.get(host) ?? []).filter(({ uid }) => uid !== fact.uid);
        this.#byHost.set(host, [...others, record]);
      }
    }
  }

  /** Who answers under a host. */
  atHost(host: string): readonly BranchRecord[] {
    return this.#byHost.get(host) ?? [];
  }

  hostOf(id: string): string | undefined {
    return Object.values([...this.branches.values()].find((branch) => branch.id === id)?.hosts ?? {})[0];
  }

  someOtherHost(secret: Secret): string | undefined {
    const own = secret.metadata.annotations?.[annotationKey.branchUid];
    const other = [...this.branches.values()].findLast(({ uid, live, hosts }) => uid !== own && live && hosts);
    return other && Object.values(other.hosts)[0];
  }

  /**
   * Before the tamperer writes: should the answer get lost, the version is known by what he meant to write. The
   * returned function is for when the answer came.
   */
  tampering({ metadata, data = {} }: Secret, patch: { data?: object; metadata?: object }): (after: Secret) => void {
    const meant = JSON.stringify(patch);
    const revision = metadata.annotations?.[annotationKey.revision];
    const isMeant = (seen: Secret): boolean =>
      seen.metadata.uid === metadata.uid &&
      (seen.metadata.annotations?.[annotationKey.revision] === revision || meant.includes(annotationKey.revision)) &&
      seen.data?.['expires-at'] === (meant.includes('"expires-at":null') ? undefined : data['expires-at']) &&
      covers(seen, patch);
    this.#tamperings.add(isMeant);
    return (after) => {
      this.#tamperings.delete(isMeant);
      this.#tampered.add(after.metadata.resourceVersion ?? '');
    };
  }

  isTampered(secret: Secret): boolean {
    return (
      this.#tampered.has(secret.metadata.resourceVersion ?? '') ||
      [...this.#tamperings].some((isMeant) => isMeant(secret))
    );
  }

  /** Everything that belongs to what a key names, for a report. */
  about(key: ObjectKey): string {
    const records = [...this.objects.values()].filter((record) => keyOf(record) === keyOf(key));
    return records
      .map(({ uid, tag, leaving, ended }) => {
        const branches = [...this.branches.values()].filter(({ id }) => id.includes(tag));
        return `object ${uid} leaving=${leaving} ended=${ended}: ${branches.map(({ id, uid: own, live, facts }) => `${id} (${own}, ${facts.state}${live ? '' : ', going'})`).join(', ')}`;
      })
      .join('\n');
  }
}

/** Whether everything that a merge patch sets is so in `value`. */
function covers(value: unknown, patch: unknown): boolean {
  if (patch === null) return value === undefined;
  if (typeof patch !== 'object' || patch === undefined) return value === patch;
  return Object.entries(patch as object).every(([key, inner]) =>
    covers((value as Record<string, unknown> | undefined)?.[key], inner),
  );
}

/** No class ever has a shorter `expiration.default`. */
const shortestDefault = '1h';

/** So long after the end of an object the provider removes what the operator did not. */
export const netMs = 10 * 60_000;

function endOf({ metadata, spec }: Pick<DatabaseBranch, 'metadata' | 'spec'>): number {
  const { at, ttl } = spec.expiration ?? {};
  if (at !== undefined) return Date.parse(at);
  return Date.parse(metadata.creationTimestamp ?? '') + parseDuration(ttl ?? shortestDefault);
}
