// Real clients of the provider: one network and one budget of requests per workspace, every call counted.
import type { MakeClient } from './controllers/providers.ts';
import type { Config } from './config.ts';
import type { Clock } from './kit/clock.ts';
import type { Logger } from './kit/log.ts';
import { oauthTokenSource } from './lakebase/auth.ts';
import { httpLakebaseClient } from './lakebase/http-client.ts';
import { instrumented } from './lakebase/instrumented.ts';
import { limited } from './lakebase/limiter.ts';
import { undiciTransport, type Transport } from './lakebase/transport.ts';
import type { Metrics } from './metrics/registry.ts';
import { version } from './version.ts';

interface Parts {
  readonly config: Pick<Config, 'proxy' | 'providerQps'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'lakebaseAnswered'>;
}

export function lakebaseClients({ config, clock, log, metrics }: Parts): MakeClient {
  const transports = new Map<string, Transport>();
  const transportTo = (host: string, ca: string | undefined): Transport => {
    const key = `${host}\n${ca ?? ''}`;
    const known = transports.get(key);
    if (known) return known;
    const budget = { perSecond: config.providerQps, burst: 2 * config.providerQps };
    const transport = limited(undiciTransport({ ca, proxy: config.proxy }), clock, budget);
    transports.set(key, transport);
    return transport;
  };
  return ({ host, ca, credentials }) => {
    const common = { host, transport: transportTo(host, ca), clock, userAgent: `lakebranch/${version}` };
    const client = httpLakebaseClient({ ...common, tokens: oauthTokenSource({ ...common, credentials }) });
    return instrumented(client, clock, {
      onCall: (call) => metrics.lakebaseAnswered(call),
      onFailure: ({ verb, code, message, status, traceId }) =>
        log.warn({ host, verb, code, status, traceId, reason: message }, 'the provider did not do it'),
    });
  };
}
