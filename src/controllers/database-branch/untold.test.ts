import { expect, test } from 'vitest';
import { object } from '../../../test/builders/world.ts';
import type { DatabaseBranch } from '../../api/v1alpha1/database-branch.ts';
import { mayHaveUntold } from './untold.ts';

type Status = NonNullable<DatabaseBranch['status']>;

const branch = { id: 'b', uid: 'br-1' } as NonNullable<Status['branch']>;
const reconciling = {
  type: 'Reconciling',
  status: 'True',
  reason: 'WaitingForBranchSlot',
  message: 'it waits',
  lastTransitionTime: '2026-01-01T00:00:00Z',
} as const;

test.each<[string, Status | undefined, { hasSecret?: boolean; met?: boolean }, boolean]>([
  ['nothing was ever said of it', undefined, {}, true],
  ['nothing is said any more of what this process knows', undefined, { met: true }, true],
  ['only the default of the schema is there', { observedGeneration: -1, conditions: [] }, { met: true }, true],
  ['the answer to the first spec is there', { observedGeneration: 3, conditions: [] }, {}, false],
  [
    'its Secret opens a branch that the status does not name',
    { observedGeneration: 3 },
    { hasSecret: true, met: true },
    true,
  ],
  ['it names it', { observedGeneration: 3, branch }, { hasSecret: true }, false],
  ['there was an edit before this process came', { observedGeneration: 2, branch }, { hasSecret: true }, true],
  ['there was one since', { observedGeneration: 2, branch }, { hasSecret: true, met: true }, false],
  ['something was under way before this process came', { observedGeneration: 3, conditions: [reconciling] }, {}, true],
  ['something is under way since', { observedGeneration: 3, conditions: [reconciling] }, { met: true }, false],
])('%s', (_sentence, status, { hasSecret = false, met = false }, expected) => {
  const { status: _, ...silent } = object;
  const given = { ...silent, metadata: { ...object.metadata, generation: 3 }, ...(status ? { status } : {}) };
  expect(mayHaveUntold(given, { hasSecret, met })).toBe(expected);
});
