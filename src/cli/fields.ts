// Flags that several commands share, and what their values mean.
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import { getClass, tryGet, type Cluster } from './cluster.ts';
import { UsageError, type Flag, type Invocation } from './command.ts';
import type { EndWish } from './decide-end.ts';
import { durationMs, instantOf } from './times.ts';
import type { Terminal } from './terminal.ts';

export const endFlags: readonly Flag[] = [
  { name: 'by', value: 'DURATION', help: 'That much later than now planned, like 24h or 2d.' },
  { name: 'for', value: 'DURATION', help: 'That long from now.' },
  { name: 'until', value: 'TIME', help: 'At this instant, with its zone, like 2026-09-21T22:56:02Z.' },
];

export const neverFlag: Flag = {
  name: 'never',
  help: 'It lives as long as its object. The class must allow it.',
};

/** Undefined: none of the flags is given. Throws UsageError for more than one. */
export function endWish(invocation: Invocation): EndWish | undefined {
  const given = ['by', 'for', 'until'].filter((flag) => invocation.text(flag) !== undefined);
  if (invocation.isOn('never')) given.push('never');
  if (given.length > 1) throw new UsageError(`give one of ${given.map((flag) => `--${flag}`).join(' and ')}, not both`);
  const [flag] = given;
  const text = invocation.text(flag ?? '') ?? '';
  switch (flag) {
    case 'by':
      return { kind: 'later', ms: durationMs(flag, text) };
    case 'for':
      return { kind: 'fromNow', ms: durationMs(flag, text) };
    case 'until':
      return { kind: 'at', instant: instantOf(flag, text) };
    case 'never':
      return { kind: 'never' };
    default:
      return undefined;
  }
}

/** Undefined, with a warning, for people who may not read classes: then the operator alone judges. */
export async function classOf(
  cluster: Cluster,
  terminal: Terminal,
  object: DatabaseBranch,
): Promise<BranchClass | undefined> {
  const bclass = await tryGet(getClass(cluster, object.spec.className));
  if (!bclass)
    terminal.note(
      `warning: BranchClass ${object.spec.className} cannot be read, so its limits are not checked here; the operator will`,
    );
  return bclass;
}
