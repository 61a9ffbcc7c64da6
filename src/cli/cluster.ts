// The API server as the person at the keyboard reaches it, and the few reads that many commands share.
import { existsSync } from 'node:fs';
import {
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
  secretResource,
} from '../api/names.ts';
import type { BranchClass } from '../api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../api/v1alpha1/database-branch.ts';
import type { PointInTimeRestore } from '../api/v1alpha1/point-in-time-restore.ts';
import { HttpKube } from '../kit/kube-http.ts';
import {
  isForbidden,
  isNotFound,
  isUnknownKind,
  type KubeObject,
  type ObjectKey,
  type ResourceType,
} from '../kit/kube.ts';
import { kubeconfigConnection, personsConnection, type KubeConnection } from '../kit/kubeconfig.ts';
import { version } from '../version.ts';
import { CommandError, UsageError } from './command.ts';
import type { Invocation } from './command.ts';
import type { Terminal } from './terminal.ts';

/**
 * The API server takes what stands before the slash for the name of the field manager, so that our edits of specs are
 * `kubectl-lakebranch` in managedFields.
 */
const userAgent = `kubectl-lakebranch/${version}`;

export const defaultOperatorNamespace = 'lakebranch-system';

export interface SecretObject extends KubeObject {
  /** Base64. */
  data?: Record<string, string>;
}

export interface Cluster {
  readonly kube: HttpKube;
  readonly server: string;
  /** Of `-n`, else of the kubeconfig. */
  readonly namespace: string;
  /** Where to look: `undefined` is all namespaces. */
  readonly scope: string | undefined;
}

export async function openCluster(invocation: Invocation, { env, clock }: Terminal): Promise<Cluster> {
  const connection = explainingCredentials(await connectionOf(invocation, env));
  const namespace = invocation.text('namespace') ?? connection.namespace;
  return {
    kube: new HttpKube({ connection, clock, userAgent }),
    server: connection.server,
    namespace,
    scope: invocation.isOn('all-namespaces') ? undefined : namespace,
  };
}

/** For a person whose session has ended the words of the program that gives credentials are what helps. */
const explainingCredentials = (connection: KubeConnection): KubeConnection => ({
  ...connection,
  credentials: () =>
    connection.credentials().catch((error: unknown) => {
      const words = (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s+/g, ' ');
      throw new CommandError(`the kubeconfig gives no credentials for ${connection.server}: ${words}`);
    }),
});

function connectionOf(invocation: Invocation, env: Terminal['env']): Promise<KubeConnection> {
  const context = invocation.text('context');
  const file = invocation.text('kubeconfig');
  if (file === undefined) return personsConnection(env, context);
  if (!existsSync(file)) throw new CommandError(`--kubeconfig: there is no file ${file}`);
  return kubeconfigConnection([file], context);
}

/** All pages. */
export async function listAll<T extends KubeObject>(
  { kube }: Pick<Cluster, 'kube'>,
  type: ResourceType,
  options: { readonly namespace?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<T[]> {
  const { namespace, signal } = options;
  const items: T[] = [];
  let from: string | undefined;
  do {
    const page = await kube.list<T>(type, {
      limit: 500,
      ...(namespace === undefined ? {} : { namespace }),
      ...(signal === undefined ? {} : { signal }),
      ...(from ? { continue: from } : {}),
    });
    items.push(...page.items);
    from = page.metadata.continue;
  } while (from);
  return items;
}

export const listBranches = (cluster: Cluster, namespace: string | undefined): Promise<DatabaseBranch[]> =>
  listAll<DatabaseBranch & KubeObject>(cluster, databaseBranchResource, { namespace });

export const getBranch = (cluster: Cluster, name: string): Promise<DatabaseBranch> =>
  getOr404(cluster, databaseBranchResource, { namespace: cluster.namespace, name });

export const getRestore = (cluster: Cluster, name: string): Promise<PointInTimeRestore> =>
  getOr404(cluster, pointInTimeRestoreResource, { namespace: cluster.namespace, name });

export const getClass = (cluster: Cluster, name: string): Promise<BranchClass> =>
  getOr404(cluster, branchClassResource, { name });

/** As the API server has it. Anything else could lead to another resource: it takes what follows a slash for a subresource. */
const nameShape = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

async function getOr404<T>({ kube }: Cluster, type: ResourceType, key: ObjectKey): Promise<T> {
  if (!nameShape.test(key.name))
    throw new UsageError(`${JSON.stringify(key.name)} cannot be the name of a ${type.kind}`);
  try {
    return (await kube.get(type, key)) as T;
  } catch (error) {
    if (isNotFound(error) && !isUnknownKind(error)) throw notThere(type, key);
    throw error;
  }
}

function notThere({ kind, plural, namespaced }: ResourceType, { namespace, name }: ObjectKey): CommandError {
  const where = namespaced ? ` in namespace ${namespace}` : '';
  const list = namespaced ? `kubectl -n ${namespace} get ${plural}` : `kubectl get ${plural}`;
  const elsewhere = namespaced ? '; -n names another namespace' : '';
  return new CommandError(`there is no ${kind} ${name}${where}. "${list}" shows what there is${elsewhere}`);
}

/** Undefined where it is not there, or where the person may not read it. */
export async function tryGet<T>(get: Promise<T>): Promise<T | undefined> {
  try {
    return await get;
  } catch (error) {
    if (isNotFound(error) || isForbidden(error) || error instanceof CommandError) return undefined;
    throw error;
  }
}

/** The texts of a Secret. Throws KubeError. */
export async function secretData({ kube }: Pick<Cluster, 'kube'>, key: ObjectKey): Promise<Record<string, string>> {
  return decodeData(await kube.get<SecretObject>(secretResource, key));
}

export const decodeData = ({ data = {} }: SecretObject): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
