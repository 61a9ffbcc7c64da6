// What the steps of the e2e act on: the cluster as an administrator sees it, and the emulator behind it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { $, type ProcessOutput } from 'zx';
import type { BranchFacts } from '../../src/emulator/emulator.ts';
import { builtBinaries } from '../control-plane/binaries.ts';
import type { JournalLine } from '../stack/emulator.ts';
import { until } from '../stack/until.ts';
import { toolBinary } from '../tools/build.ts';
import type { Cluster } from './cluster.ts';
import type { Diary } from './app/diary.ts';
import type { Docker } from './docker.ts';

export const operatorNamespace = 'lakebranch-system';
export const previewNamespace = 'lakebranch-e2e-preview';
export const leftoverNamespace = 'lakebranch-e2e-leftover';
/** Of both charts in their namespaces. */
export const release = { operator: 'lakebranch', preview: 'shop' } as const;

/** The part of Kubernetes objects that is read here. */
export interface KubeObject {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface World {
  readonly docker: Docker;
  readonly cluster: Cluster;
  /** Where the images were built from; the operator's is the first. */
  readonly images: readonly string[];
  /** Resolves with what it printed. */
  kubectl(...args: string[]): Promise<string>;
  /** `kubectl apply` of objects. */
  apply(...objects: object[]): Promise<void>;
  /** `kubectl get ... -o json`. */
  get<T = KubeObject>(...args: string[]): Promise<T>;
  helm(...args: string[]): Promise<ProcessOutput>;
  /** Like `helm`, but resolves also when it failed. */
  tryHelm(...args: string[]): Promise<ProcessOutput>;
  emulator: {
    ca(): Promise<string>;
    /** Those that are there, production included. */
    branches(): Promise<BranchFacts[]>;
    journal(): Promise<JournalLine[]>;
    /** Which tokens of the cluster it takes for whom. */
    setFederationPolicies(policies: readonly object[]): Promise<void>;
  };
  /** What the application of the preview has seen. */
  diary(): Promise<Diary>;
  close(): void;
}

export async function createWorld(docker: Docker, cluster: Cluster, images: readonly string[]): Promise<World> {
  const [{ kubectl }, helm] = [await builtBinaries(), await toolBinary('helm')];
  const home = mkdtempSync(join(tmpdir(), 'lakebranch-e2e-helm-'));
  const helmHomes = Object.fromEntries(['CACHE', 'CONFIG', 'DATA'].map((kind) => [`HELM_${kind}_HOME`, home]));
  const sh = $({ quiet: true, env: { ...process.env, ...helmHomes, KUBECONFIG: cluster.kubeconfig } });
  const run = async (...args: string[]): Promise<string> => (await sh`${cluster.enter} ${kubectl} ${args}`).stdout;
  const raw = (path: string): Promise<string> => run('get', '--raw', path);
  const service = (namespace: string, name: string, path: string): string =>
    `/api/v1/namespaces/${namespace}/services/${name}/proxy/${path}`;
  const emulatorPath = (path: string): string => service(operatorNamespace, `${release.operator}-emulator:http`, path);
  const emulator = (path: string): Promise<string> => whenServed(() => raw(emulatorPath(path)));
  return {
    docker,
    cluster,
    images,
    kubectl: run,
    apply: async (...objects) => {
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
      await sh({ input: list })`${cluster.enter} ${kubectl} apply --filename -`;
    },
    get: async <T>(...args: string[]) => JSON.parse(await run('get', ...args, '--output', 'json')) as T,
    helm: (...args) => sh`${cluster.enter} ${helm} ${args}`,
    tryHelm: (...args) => sh({ nothrow: true })`${cluster.enter} ${helm} ${args}`,
    emulator: {
      ca: () => emulator('ca.crt'),
      branches: async () =>
        (JSON.parse(await emulator('admin/branches')) as BranchFacts[]).filter(({ deletedAt }) => !deletedAt),
      journal: async () => JSON.parse(await emulator('admin/log')) as JournalLine[],
      setFederationPolicies: async (policies) => {
        const path = emulatorPath('admin/federation-policies');
        await whenServed(
          () => sh({ input: JSON.stringify(policies) })`${cluster.enter} ${kubectl} replace --raw ${path} --filename -`,
        );
      },
    },
    diary: async () =>
      JSON.parse(await whenServed(() => raw(service(previewNamespace, `${release.preview}:http`, '')))) as Diary,
    close: () => rmSync(home, { recursive: true, force: true }),
  };
}

/**
 * A call through the API server to a Service. A pod that is Ready is known to the API server's proxy a moment later only;
 * until then the proxy refuses, without passing anything on, and the call is made again.
 */
async function whenServed<T>(call: () => Promise<T>): Promise<T> {
  const answer = await until('the Service has an endpoint', async () => {
    try {
      return { is: await call() };
    } catch (error) {
      if (String(error).includes('no endpoints available')) return undefined;
      throw error;
    }
  });
  return answer.is;
}
