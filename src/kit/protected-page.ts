// One page over HTTPS for those who may read it: their bearer token is shown to the API server.
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Access, type Verdict } from './access.ts';
import type { Clock } from './clock.ts';
import { cannotListen, type Listening } from './health.ts';
import type { Kube } from './kube.ts';
import { selfSigned } from './self-signed.ts';
import { certificateIn, type ServingCertificate } from './serving-certificate.ts';

export interface ProtectedPageOptions extends Listening {
  readonly kube: Pick<Kube, 'create'>;
  readonly clock: Clock;
  readonly path: string;
  readonly page: () => Promise<{ readonly type: string; readonly body: string }>;
  /** Holds tls.crt and tls.key, read again when they change; absent: a certificate is made for this process. */
  readonly certificateFolder: string | undefined;
  /** Names the setting when the folder holds no certificate. */
  readonly certificateSetting: string;
  readonly onError: (error: unknown, what: string) => void;
}

export interface ProtectedPage {
  readonly port: number;
  close(): Promise<void>;
}

/** The kubelet needs about a minute to bring a renewed Secret, so this adds little. */
const lookMs = 10_000;
/** Whoever opens connections and shows no token shall not fill the memory of the operator, nor the places for long. */
const mostConnections = 100;
const longestSilenceMs = 10_000;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const refusals: Readonly<Record<Exclude<Verdict, 'allowed'>, Answer>> = {
  unauthenticated: { status: 401, body: 'show a bearer token that the API server knows\n' },
  forbidden: { status: 403, body: 'the token needs the right to get the nonResourceURL /metrics\n' },
};

/** Throws PortError and CertificateError. */
export async function serveProtectedPage(options: ProtectedPageOptions): Promise<ProtectedPage> {
  const { clock, path, page, onError } = options;
  const access = new Access(options);
  const { certificateFolder: folder, certificateSetting } = options;
  const read = async (): Promise<ServingCertificate> =>
    folder === undefined ? selfSigned('lakebranch', clock.now()) : certificateIn(folder, certificateSetting);
  let certificate = await read();
  const patience = { handshakeTimeout: longestSilenceMs, headersTimeout: longestSilenceMs };
  const server = createServer({ ...certificate, ...patience }, (request, response) => {
    void answer(request.method, request.url, request.headers.authorization).then(({ status, body, type }) =>
      response
        .writeHead(status, {
          'content-type': type ?? 'text/plain; charset=utf-8',
          ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
        })
        .end(body),
    );
  });

  async function answer(method: string | undefined, url = '/', authorization = ''): Promise<Answer> {
    if (method !== 'GET') return { status: 405, body: 'only GET\n' };
    if (url.split('?')[0] !== path) return { status: 404, body: `there is ${path}\n` };
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (token === undefined) return refusals.unauthenticated;
    try {
      const verdict = await access.of(token);
      if (verdict !== 'allowed') return refusals[verdict];
    } catch (error) {
      onError(error, 'the API server could not be asked who may read the metrics');
      return { status: 503, body: 'the API server could not be asked whether you may; the log says why\n' };
    }
    try {
      const { type, body } = await page();
      return { status: 200, body, type };
    } catch (error) {
      onError(error, 'the page could not be made');
      return { status: 500, body: 'the page could not be made\n' };
    }
  }

  /** A pair that is half written or wrong is not taken; the old one stays. */
  async function lookAgain(): Promise<void> {
    try {
      const next = await read();
      if (next.cert !== certificate.cert || next.key !== certificate.key) server.setSecureContext((certificate = next));
    } catch (error) {
      onError(error, 'the certificate of the metrics could not be renewed; the old one is served');
    }
  }

  server.maxConnections = mostConnections;
  let closed = false;
  let cancel = (): void => undefined;
  const watch = (): void => {
    if (!closed) cancel = clock.after(lookMs, () => void lookAgain().then(watch));
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(options, error)));
    server.listen(options.port, options.host, resolve);
  });
  if (folder !== undefined) watch();
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        closed = true;
        cancel();
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
