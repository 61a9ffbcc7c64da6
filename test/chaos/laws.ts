// What must never happen, judged from every version of every object and from every line of the provider's journal.
import { branchClassResource, databaseBranchResource, secretResource } from '../../src/api/names.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { parseBranchId, sameBranch } from '../../src/lakebase/ids.ts';
import { expectLawfulStatus, type StatusObject } from '../kstatus.ts';
import type { JournalLine } from '../stack/emulator.ts';
import type { Version } from './history.ts';
import type { Ledger, ObjectRecord } from './ledger.ts';

export interface Identities {
  readonly manager: string;
  readonly loginNames: readonly string[];
}

const changes = /^(branch|endpoint|role|database|project|credential)\./;

/** What the operators did at the provider: only to branches of their objects, and to those only what they may. */
export function judgeJournal(
  lines: readonly JournalLine[],
  ledger: Ledger,
  { manager, loginNames }: Identities,
): string[] {
  return lines.flatMap((line) => {
    if (!changes.test(line.what)) return [];
    if (line.by === undefined) return line.what === 'branch.expire' ? judgeExpiry(line, ledger) : [];
    if (line.by !== manager && !loginNames.includes(line.by)) return [];
    // The emulator itself makes the projects of its start, in the name of their owner.
    return line.what === 'project.create' ? [] : judgeChange(line, ledger);
  });
}

const idIn = (name: string): string => /\/branches\/([^/]+)/.exec(name)?.[1] ?? '';

function judgeChange(line: JournalLine, ledger: Ledger): string[] {
  const id = idIn(line.name);
  const record = ledger.byTag.get(parseBranchId(id)?.tag ?? '');
  const said = `${line.what} ${line.name} at ${line.at}`;
  if (!record) return [`the operator touched what no object made: ${said}`];
  if (line.what === 'branch.create') return judgeCreate(line, id, record, ledger);
  if (line.what === 'branch.delete' && !mayDelete(line, record, id, ledger))
    return [`the operator deleted the branch of an object that still wants it: ${said}`];
  return [];
}

/**
 * An object has one branch for each reset that it was ever asked for, and that under one id. Only a second leader, whose
 * request was under way when the first one gave the branch up, may make it again: nobody wants it, so it goes again.
 */
function judgeCreate(line: JournalLine, id: string, record: ObjectRecord, ledger: Ledger): string[] {
  if (!ledger.idsOf(record).includes(id))
    return [`the operator made a branch that no version of its object wants: ${line.name}`];
  const sequence = ledger.branches.get(line.uid ?? '')?.facts.sequence ?? Infinity;
  const unwanted = record.leaving || !sameBranch(ledger.wantedId(record), id);
  const before = [...ledger.branches.values()].filter(
    (branch) => sameBranch(branch.id, id) && branch.facts.sequence < sequence && (branch.live || !unwanted),
  );
  return before.map(({ uid }) => `branch ${id} was made twice: ${uid}, then ${line.uid}`);
}

/** Its object is gone or going and does not retain it, or has ended, or has given it up. */
function mayDelete({ uid }: JournalLine, record: ObjectRecord, id: string, ledger: Ledger): boolean {
  if (ledger.hasAbandoned(record, id)) return true;
  return record.leaving && !(uid !== undefined && ledger.isRetained({ uid, id }));
}

/**
 * The provider's expiry is the net below the operator: it must never be what ends a branch that is wanted, unless a person
 * has forbidden the operator to.
 */
function judgeExpiry(line: JournalLine, ledger: Ledger): string[] {
  const id = idIn(line.name);
  const record = ledger.byTag.get(parseBranchId(id)?.tag ?? '');
  if (!record || record.leaving || ledger.hasAbandoned(record, id)) return [];
  if (record.stopped && record.earliestEnd <= Date.parse(line.at)) return [];
  return [`the provider's expiry ended a branch that its object still wants: ${line.name} at ${line.at}`];
}

/** Of each object one branch, and while it is reset one more; the rest is on its way out. */
export function judgeBooks(ledger: Ledger): string[] {
  const live = [...ledger.branches.values()].filter(({ live: isLive }) => isLive);
  const byTag = Map.groupBy(live, ({ id }) => parseBranchId(id)?.tag);
  return [...byTag].flatMap(([tag, branches]) => {
    const record = tag === undefined ? undefined : ledger.byTag.get(tag);
    if (!record) return [];
    const ids = branches.map(({ id }) => id);
    if (new Set(ids).size < ids.length) return [`object ${record.name} has two branches of one id: ${ids.join(', ')}`];
    if (ids.length <= record.tokens.size) return [];
    return [`object ${record.namespace}/${record.name} has ${ids.length} live branches: ${ids.join(', ')}`];
  });
}

const anyToken = /eyJ[A-Za-z0-9_-]{10,}/;

/** Each status lawful by itself and after the one before it, without a token; and the spec is nobody's but the user's. */
export function judgeObject({ type, object, before }: Version): string[] {
  const ours = [databaseBranchResource.plural, branchClassResource.plural];
  if (!object || !ours.includes(type.plural)) return [];
  const where = `${type.kind} ${object.metadata.namespace ?? ''}/${object.metadata.name}`;
  const { status } = object as StatusObject;
  return [
    ...(status === undefined ? [] : unlawful(object, before)),
    ...(anyToken.test(JSON.stringify(status ?? {})) ? [`the status of ${where} shows a token`] : []),
    ...(specWriters(object).some((name) => name.startsWith('lakebranch'))
      ? [`the operator wrote the spec of ${where}`]
      : []),
  ];
}

function unlawful(object: StatusObject, before: StatusObject | undefined): string[] {
  const comparable = before?.status !== undefined && before.metadata.uid === object.metadata.uid;
  try {
    expectLawfulStatus(object, comparable ? before : undefined);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function specWriters({ metadata }: KubeObject): string[] {
  const fields = (metadata as { managedFields?: { manager?: string; fieldsV1?: object }[] }).managedFields ?? [];
  return fields.flatMap(({ manager, fieldsV1 }) => (fieldsV1 && 'f:spec' in fieldsV1 ? [manager ?? ''] : []));
}

export const isSecret = ({ type }: Version): boolean => type.plural === secretResource.plural;
