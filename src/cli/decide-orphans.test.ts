import { expect, test } from 'vitest';
import { branchId } from '../lakebase/ids.ts';
import type { Branch } from '../lakebase/model.ts';
import { decideOrphans } from './decide-orphans.ts';

const id = (clusterID: string, uid: string, resetToken = ''): string =>
  branchId({ clusterID, namespace: 'ns', name: 'db', uid, resetToken });
const branch = (of: string, change: Partial<Branch> = {}): Branch => ({
  id: of,
  uid: `br-${of}`,
  project: 'shop',
  state: 'READY',
  isDefault: false,
  isProtected: false,
  ...change,
});

test.each<[string, Branch, string[]]>([
  ['of an object', branch(id('here', 'ann')), []],
  ['of an object, from before a reset', branch(id('here', 'ann', 'earlier')), []],
  ['of an object, made under a former cluster id', branch(id('before', 'ann')), []],
  ['that people made', branch('production'), []],
  ['that is deleted already', branch(id('here', 'gone'), { state: 'DELETED' }), []],
  ['of an object that is gone', branch(id('here', 'gone')), ['orphan']],
  ['of an object that is gone, under a former cluster id', branch(id('before', 'gone')), ['orphan']],
  ['of another cluster', branch(id('elsewhere', 'ann')), ['unclear']],
])('a branch %s', (_what, one, verdicts) => {
  const found = decideOrphans({
    host: 'https://h',
    project: 'shop',
    branches: [one],
    uids: ['ann', 'bob'],
    clusterIDs: ['here', 'before'],
  });
  expect(found.map(({ is }) => is)).toEqual(verdicts);
});
