// metav1.Condition lists. Pure.
import type { Condition } from './kube.ts';

export type ConditionChange = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

export const findCondition = (conditions: readonly Condition[], type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type);

/** `lastTransitionTime` moves only when the status flips; the list stays sorted by type. */
export function setCondition(
  conditions: readonly Condition[],
  change: ConditionChange,
  generation: number,
  now: Date,
): Condition[] {
  const before = findCondition(conditions, change.type);
  const flipped = before?.status !== change.status;
  // Whole seconds, as metav1.Time is stored.
  const lastTransitionTime = flipped ? `${now.toISOString().slice(0, 19)}Z` : before.lastTransitionTime;
  const condition = { ...change, lastTransitionTime, observedGeneration: generation };
  return [...removeCondition(conditions, change.type), condition].sort((a, b) => (a.type < b.type ? -1 : 1));
}

export const removeCondition = (conditions: readonly Condition[], type: string): Condition[] =>
  conditions.filter((condition) => condition.type !== type);
