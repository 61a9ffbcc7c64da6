// Branches of the past: which moment of the source a request means, and whether it can be had.
import type { Call } from '../call.ts';
import type { PastTarget, Point } from '../data-plane.ts';
import { Refusal } from '../errors.ts';
import { duration } from '../format.ts';
import { parseLsn, readLsn } from '../lsn.ts';
import type { BranchRecord, Instant, ProjectRecord } from '../state.ts';

export interface PastInput {
  readonly source_branch_time?: Instant | undefined;
  readonly source_branch_lsn?: string | undefined;
  readonly source_snapshot?: string | undefined;
}

/** Refuses what is wrong whatever the source is. */
export function checkPast(call: Call, input: PastInput): void {
  const { behaviour } = call.workspace.faults;
  const { source_branch_time: time, source_branch_lsn: lsn, source_snapshot: snapshot } = input;
  if (snapshot !== undefined) throw new Refusal('snapshotsNotEmulated', { field: 'spec.source_snapshot' });
  if (time !== undefined && time % 60_000 === 0 && behaviour.wholeMinuteFails) throw new Refusal('wholeMinute');
  if (time !== undefined && lsn !== undefined) throw new Refusal('pastTwice');
  if (time !== undefined && time > call.workspace.now()) throw new Refusal('pastInFuture');
  if (lsn !== undefined && parseLsn(lsn) === undefined) throw new Refusal('lsnMalformed');
}

/** The moment that the request means, in the clock of the service; undefined when it asks for the present. */
export async function pastOf(
  call: Call,
  project: ProjectRecord,
  source: BranchRecord,
  input: PastInput,
): Promise<Point | undefined> {
  const { source_branch_time: time, source_branch_lsn: lsn } = input;
  if (time !== undefined) return momentAt(call, project, source, time);
  return lsn === undefined ? undefined : momentOfLsn(call, project, source, lsn);
}

async function momentAt(call: Call, project: ProjectRecord, source: BranchRecord, time: Instant): Promise<Point> {
  const field = 'source_branch_time';
  if (time < windowStart(call, project)) throw new Refusal('pastOutOfWindow', { field, ...retention(project) });
  if (time < source.createdAt) throw new Refusal('pastBeforeBranch', { field });
  const { sourceTimeSnapMs } = call.workspace.faults.behaviour;
  const snapped = sourceTimeSnapMs > 0 ? time - (time % sourceTimeSnapMs) : time;
  // A branch that is younger than that has a past all the same.
  const point =
    (await pointAt(call, source, { time: Math.max(snapped, source.createdAt) })) ??
    (await pointAt(call, source, { time }));
  if (!point) throw new Refusal('pastBeforeBranch', { field });
  return point;
}

async function momentOfLsn(call: Call, project: ProjectRecord, source: BranchRecord, lsn: string): Promise<Point> {
  const field = 'source_branch_lsn';
  const point = await pointAt(call, source, { lsn });
  const edge = await pointAt(call, source, { time: windowStart(call, project) });
  if (edge && readLsn(lsn) < readLsn(edge.lsn)) throw new Refusal('pastOutOfWindow', { field, ...retention(project) });
  if (!point || point.time < source.createdAt) throw new Refusal('pastBeforeBranch', { field });
  if (point.time > call.workspace.now()) throw new Refusal('lsnBeyondHead');
  return point;
}

/** Undefined before the beginning of the branch. The data plane knows nothing of the skew of the service's clock. */
async function pointAt(call: Call, source: BranchRecord, target: PastTarget): Promise<Point | undefined> {
  const { dataPlane, faults } = call.workspace;
  if (source.state !== 'READY') return undefined;
  const { clockSkewMs } = faults.behaviour;
  const asked = 'time' in target ? { time: target.time - clockSkewMs } : target;
  const point = await dataPlane.pointAt(source.uid, asked);
  if (point === 'beyondHead') throw new Refusal('lsnBeyondHead');
  return point === 'beforeHistory' ? undefined : { ...point, time: point.time + clockSkewMs };
}

const windowStart = (call: Call, project: ProjectRecord): Instant =>
  call.workspace.now() - project.historySeconds * 1000;

const retention = (project: ProjectRecord): { retention: string } => ({ retention: duration(project.historySeconds) });
