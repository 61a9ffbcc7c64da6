// Real clients of the provider: one network and one budget of requests per workspace, every call counted.
import { join } from 'node:path';
import type { ClientProof, MakeClient, SubjectTokens } from './controllers/providers.ts';
import type { Config } from './config.ts';
import type { Clock } from './kit/clock.ts';
import type { Logger } from './kit/log.ts';
import { oauthTokenSource } from './lakebase/auth.ts';
import { httpLakebaseClient } from './lakebase/http-client.ts';
import { instrumented } from './lakebase/instrumented.ts';
import { limited } from './lakebase/limiter.ts';
import { projectedToken } from './lakebase/subject-token.ts';
import { exchangeTokenSource } from './lakebase/token-exchange.ts';
import type { TokenSource, TokenSourceOptions } from './lakebase/token-source.ts';
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
  return ({ host, ca, proof }) => {
    const common = { host, transport: transportTo(host, ca), clock, userAgent: `lakebranch/${version}` };
    const client = httpLakebaseClient({ ...common, tokens: tokensBy(proof, common) });
    return instrumented(client, clock, {
      onCall: (call) => metrics.lakebaseAnswered(call),
      onFailure: ({ verb, code, message, status, traceId }) =>
        log.warn({ host, verb, code, status, traceId, reason: message }, 'the provider did not do it'),
    });
  };
}

export function tokensBy(proof: ClientProof, options: TokenSourceOptions): TokenSource {
  switch (proof.by) {
    case 'clientSecret':
      return oauthTokenSource({ ...options, credentials: proof.credentials });
    case 'workloadIdentity':
      return exchangeTokenSource({ ...options, clientId: proof.clientId, subjectToken: proof.subjectToken });
  }
}

interface WorkloadIdentity {
  readonly config: Pick<Config, 'workloadIdentityAudiences' | 'workloadIdentityDir'>;
  readonly clock: Clock;
  /** What the API server itself accepts, as far as known: its audiences are no workload's. */
  readonly apiServerAudiences: () => Promise<readonly string[]>;
}

/** The projected tokens of the pod: each audience has a volume of its own, named by its place in the list. */
export const projectedTokens = ({ config, clock, apiServerAudiences }: WorkloadIdentity): SubjectTokens =>
  new Map(
    config.workloadIdentityAudiences.map((audience, index) => [
      audience,
      projectedToken({
        file: join(config.workloadIdentityDir, String(index), 'token'),
        audience,
        clock,
        apiServerAudiences,
      }),
    ]),
  );
