// A Lakebase client on a scripted provider and a manual clock, with access tokens that need no login.
import { ManualClock } from '../../src/kit/clock.ts';
import type { LakebaseClient } from '../../src/lakebase/client.ts';
import { httpLakebaseClient } from '../../src/lakebase/http-client.ts';
import { Token } from '../../src/lakebase/token.ts';
import type { TokenSource } from '../../src/lakebase/token-source.ts';
import type { HttpRequest, Transport } from '../../src/lakebase/transport.ts';
import { ok, type Reply, scriptedTransport } from './scripted-transport.ts';

export const start = new Date('2026-03-01T12:00:00Z');
export const host = 'https://dbc.example';

export const branch = { project: 'shop', branch: 'pr-1' };
export const endpoint = { ...branch, endpoint: 'primary' };
export const branchName = 'projects/shop/branches/pr-1';
export const operationName = `${branchName}/operations/7`;
export const operation = ok({ name: operationName, done: false });
export const branchJson = (more: object = {}): object => ({
  name: branchName,
  uid: 'br-1',
  parent: 'projects/shop',
  ...more,
});

export interface ClientScene {
  readonly clock: ManualClock;
  readonly client: LakebaseClient;
  /** Replies to the coming requests, in order. */
  readonly next: Reply[];
  readonly asked: HttpRequest[];
  /** Access tokens that the client reported as refused. They are named s3same-1, s3same-2, … */
  readonly refused: string[];
}

/** Without jitter: a wait is half of the longest. `wrap` puts something between the client and the provider. */
export function clientScene(
  otherwise: Reply,
  wrap: (transport: Transport, clock: ManualClock) => Transport = (transport) => transport,
): ClientScene {
  const clock = new ManualClock(start);
  const script = scriptedTransport(otherwise);
  const refused: string[] = [];
  const tokens: TokenSource = {
    accessToken: async () => new Token(`s3same-${refused.length + 1}`),
    refuse: (token) => void refused.push(token.reveal()),
    principal: async () => 'app-1',
  };
  const client = httpLakebaseClient({
    host: `${host}/`,
    transport: wrap(script.transport, clock),
    tokens,
    clock,
    userAgent: 'lakebranch/test',
    random: () => 0,
  });
  return { clock, client, next: script.next, asked: script.requests, refused };
}
