// Brings each object of one namespace from apply to Ready, and away again, in a straight line: no cache, no queue, no look that finds
// nothing, no decision. With the clients of the operator, so that what is compared is not one HTTP library with another.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  branchClassResource,
  databaseBranchFinalizer,
  databaseBranchResource,
  namespaceResource,
  secretResource,
} from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch, DatabaseBranchStatus } from '../../src/api/v1alpha1/database-branch.ts';
import { renewTime } from '../../src/credentials/plan.ts';
import {
  renderSecret,
  rotateTokenHash,
  type IssuedCredential,
  type SecretOwner,
} from '../../src/credentials/secret.ts';
import { systemClock } from '../../src/kit/clock.ts';
import type { Condition } from '../../src/kit/kube.ts';
import { Reflector } from '../../src/kit/reflector.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import { kubeconfigConnection } from '../../src/kit/kubeconfig.ts';
import { oauthTokenSource } from '../../src/lakebase/auth.ts';
import type { LakebaseClient } from '../../src/lakebase/client.ts';
import { httpLakebaseClient } from '../../src/lakebase/http-client.ts';
import { branchId } from '../../src/lakebase/ids.ts';
import type { Branch, BranchRef, Endpoint } from '../../src/lakebase/model.ts';
import { Token } from '../../src/lakebase/token.ts';
import { undiciTransport } from '../../src/lakebase/transport.ts';
import type { ServicePrincipal } from '../stack/emulator.ts';
import type { FloorConfig } from './floor.ts';

const config = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FloorConfig;
const connection = await kubeconfigConnection([config.kubeconfig]);
const kube = new HttpKube({ connection, clock: systemClock, userAgent: 'floor' });
const transport = undiciTransport({ ca: config.ca });

interface Clients {
  readonly project: string;
  readonly manager: LakebaseClient;
  readonly login: LakebaseClient;
}

const classes = await clientsOfClasses();
await work();

async function clientsOfClasses(): Promise<ReadonlyMap<string, Clients>> {
  const perHost = new Map<string, Omit<Clients, 'project'>>();
  const { items } = await kube.list<BranchClass>(branchClassResource);
  const found = new Map<string, Clients>();
  for (const { metadata, spec } of items) {
    const { host, project } = spec.provider;
    const known = perHost.get(host) ?? { manager: clientOf(host, config.manager), login: clientOf(host, config.login) };
    if (!perHost.has(host)) await Promise.all([known.manager.getProject(project), known.login.getProject(project)]);
    perHost.set(host, known);
    found.set(metadata.name, { ...known, project });
  }
  return found;
}

function clientOf(host: string, { clientId, clientSecret }: ServicePrincipal): LakebaseClient {
  const common = { host, transport, clock: systemClock, userAgent: 'floor' };
  const credentials = () => Promise.resolve({ clientId, clientSecret: new Token(clientSecret) });
  return httpLakebaseClient({ ...common, tokens: oauthTokenSource({ ...common, credentials }) });
}

async function work(): Promise<void> {
  const letting = new Set<string>();
  const reflector = new Reflector<DatabaseBranch>(
    { kube, type: databaseBranchResource, clock: systemClock, namespace: config.namespace },
    (change, object) => {
      const { uid = '', deletionTimestamp } = object.metadata;
      if (change === 'add') void serve(object);
      if (change !== 'update' || deletionTimestamp === undefined || letting.has(uid)) return;
      letting.add(uid);
      if (config.deleteMs !== undefined) void letGo(object, config.deleteMs);
    },
  );
  void reflector.whenSynced.then(() => process.stdout.write('watching\n'));
  await reflector.run(new AbortController().signal);
}

async function letGo({ metadata, spec }: DatabaseBranch, deleteMs: number): Promise<void> {
  const { namespace = '', name, uid = '' } = metadata;
  const { manager, project } = clientsOf(spec.className);
  const ref = { project, branch: branchId({ clusterID: 'floor', namespace, name, uid, resetToken: '' }) };
  await manager.listBranches(project);
  await manager.deleteBranch(ref);
  await sleep(deleteMs);
  while (await isThere(manager, ref)) await sleep(2);
  await kube.mergePatch(databaseBranchResource, { namespace, name }, { metadata: { finalizers: [] } });
}

async function isThere(manager: LakebaseClient, ref: BranchRef): Promise<boolean> {
  return manager.getBranch(ref).then(
    () => true,
    () => false,
  );
}

function clientsOf(className: string): Clients {
  const clients = classes.get(className);
  if (!clients) throw new Error(`no class ${className}`);
  return clients;
}

async function serve(object: DatabaseBranch): Promise<void> {
  const { name, namespace = '', uid = '' } = object.metadata;
  const { project, manager, login } = clientsOf(object.spec.className);
  const ref = { project, branch: branchId({ clusterID: 'floor', namespace, name, uid, resetToken: '' }) };
  const source = { project, branch: 'production' };
  const careful = config.calls === 'same';

  if (careful) await kube.get(secretResource, { namespace, name }).catch(() => undefined);
  if (careful) await kube.get(namespaceResource, { name: namespace });
  const claimed = await claim(object);
  if (careful) await manager.getBranch(ref).catch(() => undefined);
  if (careful) await manager.listBranches(project, { showDeleted: true });
  const branch = await create(manager, ref);
  const recorded = await writeStatus(claimed, { candidate: { id: branch.id, uid: branch.uid } });
  const endpoint = await onlyEndpoint(manager, ref);
  if (careful) await manager.listRoles(ref);
  await makeRole(manager, ref, careful);
  await manager.listEndpoints(source);
  if (careful) await manager.listRoles(source);
  const issued = await issue(login, ref, branch, endpoint);
  await writeSecret(recorded, issued);
  await writeStatus(recorded, servedStatus(object, branch, issued));
}

function claim({ metadata }: DatabaseBranch): Promise<DatabaseBranch> {
  const { namespace, name, resourceVersion } = metadata;
  return kube.mergePatch<DatabaseBranch>(
    databaseBranchResource,
    { namespace, name },
    { metadata: { resourceVersion, finalizers: [databaseBranchFinalizer] } },
  );
}

async function create(manager: LakebaseClient, ref: BranchRef): Promise<Branch> {
  const expireTime = new Date(Date.now() + 72 * 3_600_000);
  await manager.createBranch({ project: ref.project, id: ref.branch, source: 'production', expireTime });
  await sleep(config.initMs);
  for (;;) {
    const branch = await manager.getBranch(ref);
    if (branch.state === 'READY') return branch;
    // Its timer and ours need not agree to the millisecond.
    await sleep(2);
  }
}

async function onlyEndpoint(manager: LakebaseClient, ref: BranchRef): Promise<Endpoint> {
  const [endpoint] = await manager.listEndpoints(ref);
  if (!endpoint) throw new Error('a branch without an endpoint');
  return endpoint;
}

async function makeRole(manager: LakebaseClient, ref: BranchRef, careful: boolean): Promise<void> {
  const postgresRole = config.login.clientId;
  const role = { roleId: `sp-${postgresRole}`, postgresRole, membershipRoles: ['DATABRICKS_SUPERUSER'] };
  const { name } = await manager.createRole(ref, role);
  if (careful) await manager.getOperation(name);
  await manager.listRoles(ref);
}

async function issue(
  login: LakebaseClient,
  ref: BranchRef,
  branch: Branch,
  endpoint: Endpoint,
): Promise<IssuedCredential> {
  const credential = await login.mintCredential({ ...ref, endpoint: endpoint.id }, 3600);
  const { host = '', uid: endpointUid } = endpoint;
  const binding = { branchId: branch.id, branchUid: branch.uid, endpointUid, host, username: config.login.clientId };
  return { ...credential, binding, revision: 1, rotateTokenHash: rotateTokenHash('') };
}

async function writeSecret({ metadata }: DatabaseBranch, issued: IssuedCredential): Promise<void> {
  const { name, namespace = '', uid = '' } = metadata;
  const { group, version, kind } = databaseBranchResource;
  const reference = { apiVersion: `${group}/${version}`, kind, name, uid, controller: true, blockOwnerDeletion: true };
  const owner: SecretOwner = { name, namespace, uid, reference };
  const template = { data: {}, labels: {}, annotations: {} };
  const shape = { database: 'databricks_postgres', port: 5432, certificates: config.ca, template };
  await kube.create(secretResource, renderSecret(name, owner, shape, issued));
}

function writeStatus(object: DatabaseBranch, status: DatabaseBranchStatus): Promise<DatabaseBranch> {
  return kube.replace<DatabaseBranch>(databaseBranchResource, { ...object, status }, { subresource: 'status' });
}

/** As large as the operator's. */
function servedStatus(object: DatabaseBranch, branch: Branch, issued: IssuedCredential): DatabaseBranchStatus {
  const { name, uid = '', generation = 1 } = object.metadata;
  const path = `projects/${branch.project}/branches/${branch.id}`;
  const message = 'the branch is served and its credential is fresh';
  const condition = (type: string): Condition => ({
    type,
    status: 'True',
    reason: 'Available',
    message,
    lastTransitionTime: new Date().toISOString(),
    observedGeneration: generation,
  });
  return {
    observedGeneration: generation,
    branch: { id: branch.id, uid: branch.uid, name: path, project: branch.project, source: { branch: 'production' } },
    endpoint: { uid: issued.binding.endpointUid, host: issued.binding.host, name: `${path}/endpoints/primary` },
    credentials: {
      secretName: name,
      username: issued.binding.username,
      issueTime: issued.issueTime.toISOString(),
      expireTime: issued.expireTime.toISOString(),
      renewTime: renewTime(issued, uid).toISOString(),
      revision: issued.revision,
    },
    binding: { name },
    conditions: ['Ready', 'BranchProvisioned', 'EndpointAvailable', 'CredentialsFresh'].map(condition),
  };
}
