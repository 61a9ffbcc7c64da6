// Stands before the API server and answers every SelfSubjectAccessReview with yes. The operator asks for its rights at the
// start and waits until it has them; behind this it believes that it has them, and meets the refusal where it acts.
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { newAuthority } from '../fakes/certificates.ts';

const question = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const yes = JSON.stringify({
  apiVersion: 'authorization.k8s.io/v1',
  kind: 'SelfSubjectAccessReview',
  metadata: {},
  spec: {},
  status: { allowed: true },
});

export interface TrustingProxy {
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  stop(): void;
}

export async function startTrustingProxy(apiServer: string, ca: string): Promise<TrustingProxy> {
  const agent = new Agent({ ca, keepAlive: true });
  const authority = await newAuthority();
  const identity = await authority.issue('127.0.0.1', [{ type: 'ip', value: '127.0.0.1' }]);
  const server = createServer(identity, (incoming, answer) => {
    if (incoming.url?.startsWith(question)) {
      incoming.resume();
      answer.writeHead(201, { 'content-type': 'application/json' }).end(yes);
      return;
    }
    const { method, headers } = incoming;
    const onward = request(new URL(incoming.url ?? '/', apiServer), { method, headers, agent }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      answer.flushHeaders();
      response.pipe(answer);
      response.on('error', () => answer.destroy());
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: authority.ca,
    stop() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
}
