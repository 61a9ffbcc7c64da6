// The real HTTP client pointed at a server of a test.
import { systemClock, type Clock } from '../../src/kit/clock.ts';
import type { KubeConnection, KubeCredentials } from '../../src/kit/kubeconfig.ts';
import { HttpKube } from '../../src/kit/kube-http.ts';
import type { Answered } from '../../src/kit/kube-transport.ts';
import type { FaultServer } from './fault-server.ts';

interface Overrides {
  readonly clock?: Clock;
  readonly credentials?: () => Promise<KubeCredentials>;
  readonly connection?: Partial<KubeConnection>;
}

/** A client, and what its metrics hook heard. */
export function kubeFor(server: FaultServer, { clock = systemClock, credentials, connection }: Overrides = {}) {
  const answers: Answered[] = [];
  const kube = new HttpKube({
    connection: {
      server: server.url,
      verifyServer: true,
      namespace: 'default',
      credentials: credentials ?? (() => Promise.resolve({ headers: { authorization: 'Bearer first' } })),
      ...connection,
    },
    clock,
    userAgent: 'test',
    onResponse: (answer) => answers.push(answer),
    random: () => 0,
  });
  return { kube, answers };
}

/** What a promise fails with. */
export const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => error,
  );
