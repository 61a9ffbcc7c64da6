// The checks that the integration tests rest on: they must be able to fail.
import { expect, test } from 'vitest';
import { annotationKey } from '../../src/api/names.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { branchId, branchTag } from '../../src/lakebase/ids.ts';
import { findSecrets } from './secrecy.ts';
import { branchesByOwner, untrueSecrets } from './truth.ts';

const clusterID = 'cluster';
const idFor = (uid: string, resetToken = ''): string =>
  branchId({ clusterID, namespace: 'ns', name: 'db', uid, resetToken });

const branchFor = (owner: string, uid: string, host: string): BranchFacts =>
  ({ id: idFor(owner), uid, endpoints: { primary: { host } } }) as unknown as BranchFacts;

const secretFor = (owner: string, branchUid: string, host: string): Secret => ({
  metadata: {
    namespace: 'ns',
    name: 'db',
    ownerReferences: [{ apiVersion: 'v1', kind: 'DatabaseBranch', name: 'db', uid: owner, controller: true }],
    annotations: { [annotationKey.branchUid]: branchUid },
  },
  data: { host: Buffer.from(host).toString('base64') },
});

const branches = [branchFor('ann', 'br-1', '127.0.0.1'), branchFor('bob', 'br-2', '127.0.0.2')];

test.each([
  ['of its owner', secretFor('ann', 'br-1', '127.0.0.1'), []],
  ['of another owner', secretFor('ann', 'br-2', '127.0.0.2'), [expect.stringContaining('not made for its owner ann')]],
  ['that nobody has', secretFor('ann', 'br-1', '127.0.0.9'), [expect.stringContaining('0 branches have this host')]],
  ['under another uid', secretFor('ann', 'br-2', '127.0.0.1'), [expect.stringContaining('another uid')]],
])('a Secret with the host %s is judged', (_whose, secret, complaints) => {
  expect(untrueSecrets([{ at: new Date(), is: 'ADDED', object: secret }], branches, clusterID)).toEqual(complaints);
});

test('two branches of one object are counted as two', () => {
  const twice = [...branches, branchFor('ann', 'br-3', '127.0.0.3')];
  expect(branchesByOwner(twice).get(branchTag(clusterID, 'ann'))).toEqual(['br-1', 'br-3']);
});

const hidden = [{ what: 'the secret', value: 'p/ss+word=1' }];

test.each([
  ['plain', 'with p/ss+word=1 in it', ['log shows the secret']],
  ['in base64', Buffer.from('p/ss+word=1').toString('base64'), ['log shows the secret']],
  ['in base64, inside a longer text', Buffer.from('id:p/ss+word=1').toString('base64'), ['log shows the secret']],
  ['escaped as in a URL', 'postgresql://u:p%2Fss%2Bword%3D1@h', ['log shows the secret']],
  ['not at all', 'with pass and word', []],
])('a secret that shows %s is found', (_how, text, found) => {
  expect(findSecrets([{ where: 'log', text }], hidden)).toEqual(found);
});

test('a token that nobody told us of is found', () => {
  const text = '{"authorization":"Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"}';
  expect(findSecrets([{ where: 'log', text }], hidden)).toEqual(['log shows a JSON Web Token']);
});
