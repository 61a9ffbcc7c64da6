// A stack as a test talks about it: namespaces, classes and objects by name, what became of them, and whether the
// Secrets are true.
import pg from 'pg';
import {
  branchClassResource,
  classSecretKey,
  databaseBranchResource,
  namespaceResource,
  secretResource,
} from '../../src/api/names.ts';
import type { BranchClass } from '../../src/api/v1alpha1/branch-class.ts';
import type { DatabaseBranch } from '../../src/api/v1alpha1/database-branch.ts';
import type { Secret } from '../../src/credentials/secret.ts';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { findCondition } from '../../src/kit/conditions.ts';
import { isAlreadyExists, isNotFound, keyOf, type KubeObject, type ObjectKey } from '../../src/kit/kube.ts';
import { changed, type Change } from '../builders/merge.ts';
import type { ServicePrincipal } from './emulator.ts';
import { operatorNamespace } from './operator.ts';
import { startRecorder, type Recorder } from './recorder.ts';
import { startStack, type Stack, type StackOptions } from './stack.ts';
import { until } from './until.ts';

/** Of a namespaced object. */
export interface Key extends ObjectKey {
  readonly namespace: string;
}

export class World {
  readonly stack: Stack;
  readonly recorder: Recorder;
  /** As the operator derives it. */
  readonly clusterID: string;

  constructor(stack: Stack, recorder: Recorder, clusterID: string) {
    this.stack = stack;
    this.recorder = recorder;
    this.clusterID = clusterID;
  }

  static async start(options: StackOptions = {}): Promise<World> {
    const stack = await startStack(options);
    const { metadata } = await stack.kube.get<KubeObject>(namespaceResource, { name: 'kube-system' });
    return new World(stack, await startRecorder(stack.kube), metadata.uid ?? '');
  }

  async stop(): Promise<void> {
    await this.recorder.stop();
    await this.stack.stop();
  }

  /** Those that the chart works in are there already, without labels. */
  async namespace(name: string, labels: Record<string, string> = { preview: 'true' }): Promise<void> {
    try {
      await this.stack.kube.create(namespaceResource, { metadata: { name, labels } });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await this.stack.kube.mergePatch(namespaceResource, { name }, { metadata: { labels } });
    }
  }

  /** Allows namespaces labelled `preview: "true"` to fork production, unless `change` says otherwise. */
  async bclass(name = 'default', change: Change<BranchClass['spec']> = {}): Promise<void> {
    const spec: Change<BranchClass['spec']> = {
      provider: { ...this.stack.provider, auth: { clientSecretRef: { name: 'manager' } } },
      login: { auth: { clientSecretRef: { name: 'login' } } },
      sources: { allow: ['production'], default: 'production' },
      allowedNamespaces: { matchLabels: { preview: 'true' } },
    };
    const object = { metadata: { name }, spec: changed(spec, change) };
    await this.stack.kube.create<KubeObject>(branchClassResource, object);
  }

  /** A Secret with an OAuth client, as classes name it. */
  async clientSecret(name: string, { clientId, clientSecret }: ServicePrincipal): Promise<void> {
    await this.stack.kube.create<Secret>(secretResource, {
      metadata: { namespace: operatorNamespace, name },
      data: { [classSecretKey.clientId]: base64(clientId), [classSecretKey.clientSecret]: base64(clientSecret) },
    });
  }

  async apply({ namespace, name }: Key, spec: Change<DatabaseBranch['spec']> = {}): Promise<DatabaseBranch> {
    const object = { metadata: { namespace, name }, spec };
    return (await this.stack.kube.create<KubeObject>(databaseBranchResource, object)) as DatabaseBranch;
  }

  get(key: Key): Promise<DatabaseBranch | undefined> {
    return found(this.stack.kube.get<DatabaseBranch>(databaseBranchResource, key));
  }

  secret(key: Key): Promise<Secret | undefined> {
    return found(this.stack.kube.get<Secret>(secretResource, key));
  }

  remove(key: Key): Promise<void> {
    return this.stack.kube.remove(databaseBranchResource, key);
  }

  whenReady(key: Key): Promise<DatabaseBranch> {
    return this.#when(key, 'is Ready', (object) => object && readyOf(object)?.status === 'True' && object);
  }

  whenReason(key: Key, reason: string): Promise<DatabaseBranch> {
    return this.#when(key, `is not Ready for ${reason}`, (object) => {
      const ready = object && readyOf(object);
      return ready?.status === 'False' && ready.reason === reason && object;
    });
  }

  async whenGone(key: Key): Promise<void> {
    await this.#when(key, 'is gone', (object) => object === undefined);
  }

  /** Branches that are not deleted, without the root. */
  async liveBranches(): Promise<BranchFacts[]> {
    return (await this.stack.emulator.branches()).filter(({ state, source }) => state !== 'DELETED' && source);
  }

  /** The rows that a query gives to whoever reads the Secret. */
  async query(secret: Secret | undefined, sql: string, change: Partial<pg.ClientConfig> = {}): Promise<unknown[]> {
    const read = (key: string): string => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString();
    const client = new pg.Client({
      host: read('host'),
      port: Number(read('port')),
      database: read('database'),
      user: read('username'),
      password: read('password'),
      ssl: { ca: read('certificates') },
      ...change,
    });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  }

  #when<T>(key: Key, what: string, look: (object: DatabaseBranch | undefined) => T | undefined | false): Promise<T> {
    let last: DatabaseBranch | undefined;
    return until(
      `${keyOf(key)} ${what}`,
      async () => {
        last = await this.get(key);
        return look(last);
      },
      { everyMs: 100, describe: async () => `status: ${JSON.stringify(last?.status)}\n${await this.#tail()}` },
    );
  }

  async #tail(): Promise<string> {
    const lines = await this.stack.operator.log();
    return lines
      .slice(-10)
      .map((line) => JSON.stringify(line))
      .join('\n');
  }
}

export const readyOf = ({ status }: DatabaseBranch): ReturnType<typeof findCondition> =>
  findCondition(status?.conditions ?? [], 'Ready');

export const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function found<T>(get: Promise<T>): Promise<T | undefined> {
  try {
    return await get;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
