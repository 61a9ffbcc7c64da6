// Manifests that are tried on a real API server without being kept, and what it must say to them.
import { expect } from 'vitest';
import { apiGroup, apiVersion } from '../../src/api/names.ts';
import { pathOf } from '../../src/kit/kube-http.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { kinds, type KindDefinition } from '../../scripts/generate/crds.ts';
import type { Spec } from '../fixtures/manifest-cases.ts';
import type { Answer, RawApi } from './raw-api.ts';

export const namespace = 'crds';

export const kindNamed = (name: string): KindDefinition => kinds.find(({ resource }) => resource.kind === name)!;

interface ObjectWithStatus extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

export const objectOf = ({ resource }: KindDefinition, name: string, spec: Spec | undefined): ObjectWithStatus => ({
  apiVersion: `${apiGroup}/${apiVersion}`,
  kind: resource.kind,
  metadata: { name, ...(resource.namespaced ? { namespace } : {}) },
  ...(spec === undefined ? {} : { spec }),
});

export const collection = ({ resource }: KindDefinition): string => pathOf(resource, { namespace });

export const dryRunCreate = (
  api: RawApi,
  kind: KindDefinition,
  spec: Spec | undefined,
  name = 'tried',
): Promise<Answer> => api.call('POST', `${collection(kind)}?dryRun=All`, { body: objectOf(kind, name, spec) });

/** What the API server complains of. */
export const complaintsOf = ({ body }: Answer): { field: string; message: string }[] =>
  (body.details?.causes ?? [{ field: '', message: body.message }]).map(({ field = '', message = '' }) => ({
    field,
    message,
  }));

export function expectRefused(answer: Answer, field: string, message: string): void {
  expect(answer.code, answer.body.message ?? 'accepted').toBeGreaterThanOrEqual(400);
  const complaints = complaintsOf(answer);
  const said = complaints.map((complaint) => `${complaint.field}: ${complaint.message}`);
  const fits = complaints.some((complaint) => complaint.field === field && complaint.message.includes(message));
  expect(fits, `expected ${field}: ${message}\nsaid ${said.join('\n     ')}`).toBe(true);
}
