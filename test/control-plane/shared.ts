// One control plane for all integration tests of a run: vitest calls this before the first of them.
// A test reaches it with sharedControlPlane() and keeps to namespaces of its own; a test that stops or restarts
// the API server starts its own control plane instead.

import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

/** What can be handed to the processes that run the tests. */
export type SharedControlPlane = Pick<
  ControlPlane,
  'url' | 'ca' | 'caFile' | 'adminToken' | 'adminKubeconfig' | 'kubectl' | 'dir'
>;

declare module 'vitest' {
  interface ProvidedContext {
    controlPlane: SharedControlPlane;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const controlPlane = await startControlPlane();
  const { url, ca, caFile, adminToken, adminKubeconfig, kubectl, dir } = controlPlane;
  project.provide('controlPlane', { url, ca, caFile, adminToken, adminKubeconfig, kubectl, dir });
  return () => controlPlane.stop();
}

export function sharedControlPlane(): SharedControlPlane {
  return inject('controlPlane');
}
