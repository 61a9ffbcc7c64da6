// What kstatus and Argo CD conclude, by their own code, from every status that the operator reports.
import { beforeAll, describe, expect, test } from 'vitest';
import { reasonCatalogue, type Reason } from '../../src/api/v1alpha1/reasons.ts';
import { kstatusOf } from '../kstatus.ts';
import { toolBinary } from '../tools/build.ts';
import { askKstatus, buildTimeoutMs, healthOf, type Health } from './ask.ts';
import {
  branches,
  classes,
  deletedBranches,
  randomBranches,
  readyReason,
  restores,
  servedBranches,
  untouched,
  type Told,
} from './statuses.ts';

beforeAll(async () => {
  await toolBinary('kstatus');
  await toolBinary('argocd');
}, buildTimeoutMs);

const populations: readonly (readonly [string, () => readonly Told[]])[] = [
  ['as the API server returns them right after the create', () => untouched],
  ['of DatabaseBranches without a login', branches],
  ['of DatabaseBranches that are served', servedBranches],
  ['of DatabaseBranches that are deleted', deletedBranches],
  ['of DatabaseBranches in random worlds', randomBranches],
  ['of restores', restores],
  ['of classes', classes],
];

/** With the same reason as often as it is told. */
const named = <T>(told: readonly Told[], said: readonly T[]): string[] =>
  told.map(({ what }, n) => `${what}: ${JSON.stringify(said[n])}`);

describe.each(populations)('all statuses %s', (_which, make) => {
  test('kstatus says of them what our rulebook says', async () => {
    const told = make();
    const said = await askKstatus(told.map(({ object }) => object));
    expect(named(told, said)).toEqual(
      named(
        told,
        told.map(({ object }) => kstatusOf(object)),
      ),
    );
  });

  test('Argo CD waits where kstatus waits, and fails where it fails', async () => {
    const told = make();
    const said = await healthOf(told.map(({ object }) => object));
    const expected = told.map(({ object }) => healthFor[kstatusOf(object)]);
    expect(
      named(
        told,
        said.map(({ status }) => status),
      ),
    ).toEqual(named(told, expected));
  });
});

const healthFor: Readonly<Record<ReturnType<typeof kstatusOf>, Health['status']>> = {
  Current: 'Healthy',
  InProgress: 'Progressing',
  Failed: 'Degraded',
  Terminating: 'Progressing',
};

test('of each reason, what only a person can end is Degraded, good news is Healthy, and all else Progressing', async () => {
  const told = [...branches(), ...restores(), ...classes()].filter(({ object, what }) => readyReason(object) === what);
  const said = await healthOf(told.map(({ object }) => object));
  expect(
    named(
      told,
      said.map(({ status }) => status),
    ),
  ).toEqual(
    named(
      told,
      told.map(({ what }) => fitting(what as Reason)),
    ),
  );
  // Every reason that an object as a whole can have was among them.
  const met = new Set(told.map(({ what }) => what));
  expect(Object.keys(reasonCatalogue).filter((reason) => !met.has(reason))).toEqual([]);
});

function fitting(reason: Reason): Health['status'] {
  if (reason === 'Available' || reason === 'Restored') return 'Healthy';
  return reasonCatalogue[reason].terminal ? 'Degraded' : 'Progressing';
}

test('the message says reason and words of the condition that decides', async () => {
  const told = branches();
  const said = await healthOf(told.map(({ object }) => object));
  for (const [n, { object }] of told.entries()) {
    const ready = object.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(said[n]?.message).toContain(`${ready?.reason}: ${ready?.message}`);
  }
});

test('an object whose latest edit was not seen yet is Progressing, whatever its status says', async () => {
  const edited = [...branches(), ...restores(), ...classes()].map(({ object }) => ({
    ...object,
    metadata: { ...object.metadata, generation: (object.metadata.generation ?? 0) + 1 },
  }));
  const said = await healthOf(edited);
  expect(new Set(said.map(({ status, message }) => `${status} ${message}`))).toEqual(
    new Set(['Progressing lakebranch has not seen this version of the object yet']),
  );
});
