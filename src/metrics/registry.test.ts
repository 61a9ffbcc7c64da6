import { beforeEach, expect, test } from 'vitest';
import { aDatabaseBranch } from '../../test/builders/database-branch.ts';
import { catalogue } from './catalogue.ts';
import { stateOf, type ObjectState } from './object-state.ts';
import { createMetrics, type Loop, type Metrics } from './registry.ts';

let objects: ObjectState[];
let loops: Loop[];
let metrics: Metrics;

beforeEach(() => {
  objects = [];
  loops = [];
  metrics = createMetrics({
    fleet: () => ({ objects, classes: [], restores: [] }),
    loops: () => loops,
    leading: () => true,
    perObject: true,
    version: '1.2.3',
    nodeVersion: 'v24',
  });
});

const lines = async (name: string): Promise<string[]> =>
  (await metrics.page()).body.split('\n').filter((line) => line.startsWith(name));

test('the registry holds the catalogue, and beside it only what prom-client tells of the process', () => {
  const made = new Set(metrics.registry.getMetricsAsArray().map(({ name }) => name));
  const names: string[] = Object.values(catalogue).map(({ name }) => name);
  expect(names.filter((name) => !made.has(name))).toEqual([]);
  expect([...made].filter((name) => !names.includes(name) && !/^(process|nodejs)_/.test(name))).toEqual([]);
});

test('no name is given twice', () => {
  const names = Object.values(catalogue).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test('nothing is left of an object that is gone', async () => {
  objects = [stateOf(aDatabaseBranch({ metadata: { namespace: 'pr-1', name: 'short-lived' } }))];
  expect((await metrics.page()).body).toContain('short-lived');
  objects = [];
  expect((await metrics.page()).body).not.toContain('short-lived');
});

test('counters with known labels begin at 0, so that the first event is an increase', async () => {
  expect(await lines('lakebranch_refusals_total{reason="EndpointMismatch"}')).toEqual([
    'lakebranch_refusals_total{reason="EndpointMismatch"} 0',
  ]);
  metrics.measured({ is: 'refused', reason: 'EndpointMismatch' });
  expect(await lines('lakebranch_refusals_total{reason="EndpointMismatch"}')).toEqual([
    'lakebranch_refusals_total{reason="EndpointMismatch"} 1',
  ]);
  expect(await lines('lakebranch_provider_requests_total{verb="mintCredential",outcome="denied"}')).toHaveLength(1);
  expect(await lines('lakebranch_left_to_lease_total')).toEqual(['lakebranch_left_to_lease_total 0']);
});

test('a loop is told under the names of controller-runtime', async () => {
  loops = [{ controller: 'branchclass', depth: 3, running: 1, workers: 4, longestSeconds: 2, unfinishedSeconds: 2 }];
  const queue = metrics.queued('branchclass');
  queue.onAdd();
  queue.onTake(0.2);
  queue.onPutOff();
  metrics.reconciled('branchclass', 'error', 0.3);
  const labels = '{name="branchclass",controller="branchclass"}';
  expect(await lines(`workqueue_depth${labels}`)).toEqual([`workqueue_depth${labels} 3`]);
  expect(await lines(`workqueue_adds_total${labels}`)).toEqual([`workqueue_adds_total${labels} 1`]);
  expect(await lines(`workqueue_retries_total${labels}`)).toEqual([`workqueue_retries_total${labels} 1`]);
  expect(await lines(`workqueue_queue_duration_seconds_sum${labels}`)).toEqual([
    `workqueue_queue_duration_seconds_sum${labels} 0.2`,
  ]);
  expect(await lines('controller_runtime_reconcile_errors_total{controller="branchclass"}')).toEqual([
    'controller_runtime_reconcile_errors_total{controller="branchclass"} 1',
  ]);
});
