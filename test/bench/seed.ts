// Objects that are Ready already, with branch, Secret and status as the operator would have left them: in a minute what
// would take the operator many. The status is cast from one that the operator itself wrote.
import {
  databaseBranchFinalizer,
  databaseBranchResource,
  namespaceResource,
  secretResource,
} from '../../src/api/names.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import { renewTime } from '../../src/credentials/plan.ts';
import { renderSecret, rotateTokenHash, type IssuedCredential } from '../../src/credentials/secret.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { keyOf, type KubeObject } from '../../src/kit/kube.ts';
import { oauthTokenSource } from '../../src/lakebase/auth.ts';
import type { LakebaseClient } from '../../src/lakebase/client.ts';
import { httpLakebaseClient } from '../../src/lakebase/http-client.ts';
import { branchId } from '../../src/lakebase/ids.ts';
import { Token } from '../../src/lakebase/token.ts';
import { emulatorTransport } from '../fakes/emulator-transport.ts';
import { Observer } from './observer.ts';
import type { Stage } from './stage.ts';

export interface Life {
  readonly issueTime: Date;
  readonly expireTime: Date;
}

export interface SeedOptions {
  readonly objects: number;
  readonly perNamespace: number;
  readonly classes: readonly string[];
  /** Of the token of the n-th object, asked when its Secret is written. */
  readonly life: (index: number) => Life;
  readonly onProgress: (done: number) => void;
}

/** Throws if the operator has found anything wrong with what was seeded: figures of such a fleet would mean nothing. */
export async function expectReady(stage: Stage): Promise<void> {
  const unready = (await stage.objects()).filter(
    ({ status }) => findCondition(status?.conditions ?? [], 'Ready')?.status !== 'True',
  );
  const [first] = unready;
  if (!first) return;
  const ready = findCondition(first.status?.conditions ?? [], 'Ready');
  throw new Error(
    `${unready.length} objects are not Ready, such as ${keyOf(first.metadata)}: ${ready?.reason} ${ready?.message}`,
  );
}

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
}

/** How many are under way at once. */
const lanes = 32;
const ttlMs = 72 * 3_600_000;
const netMs = 10 * 60_000;

export async function seed(stage: Stage, options: SeedOptions): Promise<void> {
  const { objects, perNamespace, classes, life, onProgress } = options;
  const clusterID = (await stage.kube.get<KubeObject>(namespaceResource, { name: 'kube-system' })).metadata.uid ?? '';
  const mold = await makeMold(stage, classes[0] ?? '');
  const client = inProcess(stage);
  const namespaces = Array.from({ length: Math.ceil(objects / perNamespace) }, (_, index) => `fleet-${index}`);
  await inLanes(namespaces, (name) => stage.namespace(name));
  const places = Array.from({ length: objects }, (_, index): Place => ({
    namespace: namespaces[Math.floor(index / perNamespace)] ?? '',
    name: `db-${index}`,
    className: classes[index % classes.length] ?? '',
  }));
  let done = 0;
  await inLanes(places, async (place, index) => {
    await seedOne({ stage, client, mold, clusterID }, place, () => life(index));
    if (++done % 1000 === 0) onProgress(done);
  });
}

/** One object that the operator brought to Ready. */
async function makeMold(stage: Stage, className: string): Promise<DatabaseBranch> {
  const key = { namespace: 'mold', name: 'mold' };
  await stage.namespace(key.namespace);
  const operator = await stage.startOperator();
  await using observer = await Observer.start(stage.kube, key.namespace);
  await stage.apply(key.namespace, key.name, className);
  await observer.allReady([keyOf(key)]);
  await operator.stop();
  return stage.kube.get<DatabaseBranch>(databaseBranchResource, key);
}

function inProcess({ provider }: Stage): LakebaseClient {
  const { clientId, clientSecret } = provider.manager;
  const transport = emulatorTransport(provider.emulator);
  const common = { host: provider.hosts[0] ?? '', transport, clock: systemClock, userAgent: 'bench' };
  const credentials = () => Promise.resolve({ clientId, clientSecret: new Token(clientSecret) });
  return httpLakebaseClient({ ...common, tokens: oauthTokenSource({ ...common, credentials }) });
}

interface Seeding {
  readonly stage: Stage;
  readonly client: LakebaseClient;
  readonly mold: DatabaseBranch;
  readonly clusterID: string;
}

async function seedOne(seeding: Seeding, place: Place, life: () => Life): Promise<void> {
  const { stage, mold } = seeding;
  const { namespace, name, className } = place;
  const object = await stage.kube.create<DatabaseBranch>(databaseBranchResource, {
    metadata: { namespace, name, finalizers: [databaseBranchFinalizer] },
    spec: { ...mold.spec, className },
  });
  const issued = { ...(await makeBranch(seeding, object)), ...life() };
  await writeSecret(stage, object, issued);
  await writeStatus(seeding, object, issued);
}

interface Made extends IssuedCredential {
  readonly id: string;
  readonly createTime: Date;
  readonly sourceTime: Date;
  readonly leaseTime: Date;
}

async function makeBranch({ stage, client, clusterID }: Seeding, object: DatabaseBranch): Promise<Made> {
  const { name, namespace = '', uid = '', creationTimestamp = '' } = object.metadata;
  const project = object.spec.className;
  const ref = { project, branch: branchId({ clusterID, namespace, name, uid, resetToken: '' }) };
  const leaseTime = new Date(Date.parse(creationTimestamp) + ttlMs + netMs);
  await client.createBranch({ project, id: ref.branch, source: 'production', expireTime: leaseTime });
  const branch = await client.getBranch(ref);
  const [endpoint] = await client.listEndpoints(ref);
  const username = stage.provider.login.clientId;
  const roleId = `sp-${username}`;
  await client.createRole(ref, { roleId, postgresRole: username, membershipRoles: ['DATABRICKS_SUPERUSER'] });
  return {
    id: branch.id,
    createTime: branch.createTime ?? new Date(),
    sourceTime: branch.sourceTime ?? new Date(),
    leaseTime,
    binding: {
      branchId: branch.id,
      branchUid: branch.uid,
      endpointUid: endpoint?.uid ?? '',
      host: endpoint?.host ?? '',
      username,
    },
    token: new Token('seeded'.repeat(200)),
    issueTime: new Date(),
    expireTime: new Date(),
    revision: 1,
    rotateTokenHash: rotateTokenHash(''),
  };
}

async function writeSecret(stage: Stage, { metadata }: DatabaseBranch, issued: Made): Promise<void> {
  const { name, namespace = '', uid = '' } = metadata;
  const { group, version, kind } = databaseBranchResource;
  const reference = { apiVersion: `${group}/${version}`, kind, name, uid, controller: true, blockOwnerDeletion: true };
  const template = { data: {}, labels: {}, annotations: {} };
  const shape = { database: 'databricks_postgres', port: 5432, certificates: stage.provider.ca.trim(), template };
  const secret = renderSecret(name, { name, namespace, uid, reference }, shape, issued);
  await stage.kube.create(secretResource, secret);
}

async function writeStatus({ stage, mold }: Seeding, object: DatabaseBranch, issued: Made): Promise<void> {
  const { name, uid = '', creationTimestamp = '' } = object.metadata;
  const path = `projects/${object.spec.className}/branches/${issued.id}`;
  const { binding, issueTime, expireTime, leaseTime } = issued;
  const cast = mold.status ?? {};
  const status: DatabaseBranch['status'] = {
    ...cast,
    branch: {
      ...cast.branch,
      id: issued.id,
      uid: binding.branchUid,
      name: path,
      project: object.spec.className,
      workspace: new URL(stage.hostOf(object.spec.className)).host,
      source: { ...cast.branch?.source, time: issued.sourceTime.toISOString() },
      createTime: issued.createTime.toISOString(),
    },
    endpoint: { ...cast.endpoint, uid: binding.endpointUid, host: binding.host, name: `${path}/endpoints/primary` },
    expiration: {
      ...cast.expiration,
      expireTime: new Date(Date.parse(creationTimestamp) + ttlMs).toISOString(),
      leaseTime: leaseTime.toISOString(),
    },
    credentials: {
      ...cast.credentials,
      secretName: name,
      username: binding.username,
      issueTime: issueTime.toISOString(),
      expireTime: expireTime.toISOString(),
      renewTime: renewTime(issued, uid).toISOString(),
      revision: 1,
    },
    binding: { name },
  };
  await stage.kube.replace<DatabaseBranch>(databaseBranchResource, { ...object, status }, { subresource: 'status' });
}

async function inLanes<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) await work(items[index] as T, index);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
