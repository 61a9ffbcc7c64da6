import { readFile } from 'node:fs/promises';
import { expect, vi } from 'vitest';
import { parse } from 'yaml';
import type { KubeObject } from '../../src/kit/kube.ts';
import { crdPath, kinds } from '../../scripts/generate/crds.ts';
import type { Answer, RawApi } from './raw-api.ts';

interface Crd extends KubeObject {
  status?: { conditions?: { type: string; status: string; message: string }[] };
}

export interface InstalledCrd {
  readonly name: string;
  readonly answer: Answer;
  readonly conditions: NonNullable<NonNullable<Crd['status']>['conditions']>;
}

/** Applies the committed CRDs and waits until the API server serves them. Repeatable, also by several tests at once. */
export async function installCrds(api: RawApi): Promise<InstalledCrd[]> {
  return Promise.all(
    kinds.map(async (kind) => {
      const crd = parse(await readFile(crdPath(kind), 'utf8')) as Crd;
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
      const answer = await api.call('PATCH', `${path}?fieldManager=tests&force=true`, {
        body: crd,
        contentType: 'application/apply-patch+yaml',
      });
      expect(answer.body.message).toBeUndefined();
      const conditions = await vi.waitFor(
        async () => {
          const { body } = await api.call('GET', path);
          const found = (body as Crd).status?.conditions ?? [];
          expect(found).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }));
          return found;
        },
        { timeout: 60_000, interval: 100 },
      );
      return { name: crd.metadata.name, answer, conditions };
    }),
  );
}
