// Whatever goes wrong between us and the provider, no error may carry a secret out: not in its message, not in its
// stack, not in what it was caused by, however it is printed. All parts are real here, down to the sockets.
import { inspect } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import { newAuthority } from '../../test/fakes/certificates.ts';
import { startConnectProxy } from '../../test/fakes/connect-proxy.ts';
import { type Answer, blackHole, json, reset, startFaultServer } from '../../test/fakes/fault-server.ts';
import { ManualClock, systemClock, type Clock } from '../kit/clock.ts';
import { oauthTokenSource } from './auth.ts';
import type { LakebaseClient } from './client.ts';
import { hasCode, LakebaseError, type LakebaseErrorCode, type UnreachableCause } from './errors.ts';
import { httpLakebaseClient } from './http-client.ts';
import { limited } from './limiter.ts';
import { exchangeTokenSource } from './token-exchange.ts';
import { Token } from './token.ts';
import { type NetworkSettings, type NetworkTransport, undiciTransport } from './transport.ts';

const clientSecret = 'dose-client-s3same';
const accessToken = 'eyJ-access-s3same';
const mintedToken = 'eyJ-minted-s3same';
const projectedToken = 'eyJ-projected-s3same';
const secrets = [
  clientSecret,
  accessToken,
  mintedToken,
  projectedToken,
  Buffer.from(`app-1:${clientSecret}`).toString('base64'),
];

const open: NetworkTransport[] = [];
afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
});

function clientOf(host: string, settings: NetworkSettings = {}, clock: Clock = hastyClock): LakebaseClient {
  const network = undiciTransport(settings);
  open.push(network);
  const transport = limited(network, clock);
  const userAgent = 'lakebranch/test';
  const credentials = async (): Promise<{ clientId: string; clientSecret: Token }> => ({
    clientId: 'app-1',
    clientSecret: new Token(clientSecret),
  });
  const options = { host, transport, clock, userAgent, random: () => 0 };
  return httpLakebaseClient({ ...options, tokens: oauthTokenSource({ ...options, credentials }) });
}

/** Logs in without a client secret. */
function workloadOf(host: string): LakebaseClient {
  const network = undiciTransport();
  open.push(network);
  const options = { host, transport: network, clock: hastyClock, userAgent: 'lakebranch/test', random: () => 0 };
  const subject = { token: new Token(projectedToken), issuer: 'https://cluster', subject: 'us', audience: 'lakebase' };
  const tokens = exchangeTokenSource({ ...options, clientId: 'app-1', subjectToken: () => Promise.resolve(subject) });
  return httpLakebaseClient({ ...options, tokens });
}

/** Deadlines are kept, the waits between repetitions are cut short. */
const hastyClock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms < 30_000 ? ms / 100 : ms, run),
};

/** Every way in which an error could end up in a log, a status or a crash report. */
function prints(error: unknown): string {
  const chain: unknown[] = [];
  for (
    let link: unknown = error;
    link !== undefined && !chain.includes(link);
    link = link instanceof Error ? link.cause : undefined
  )
    chain.push(link);
  return chain
    .flatMap((link) => [
      String(link),
      link instanceof Error ? `${link.message} ${link.stack}` : '',
      JSON.stringify(link),
      JSON.stringify(Object.entries(link ?? {})),
      inspect(link, { depth: Infinity, showHidden: true, getters: true }),
    ])
    .join('\n');
}

async function failureOf(work: Promise<unknown>): Promise<LakebaseError> {
  const error = await work.then(
    () => 'no failure',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LakebaseError);
  const printed = prints(error);
  for (const secret of secrets) expect(printed).not.toContain(secret);
  return error as LakebaseError;
}

/** Answers logins well and the API as told. */
const workspace =
  (api: Answer): Answer =>
  (response, request) => {
    if (request.path === '/oidc/.well-known/oauth-authorization-server')
      return json({ token_endpoint: `http://${request.headers.host}/oidc/v1/token` })(response, request);
    if (request.path === '/oidc/v1/token')
      return json({ access_token: accessToken, expires_in: 3600 })(response, request);
    return api(response, request);
  };

/** The worst gateway: it quotes what it was sent. */
const echo =
  (status: number): Answer =>
  (response, { headers, body }) =>
    void response.writeHead(status).end(`<html><pre>${headers.authorization ?? ''} ${body}</pre></html>`);

const branch = { project: 'shop', branch: 'pr-1' };
const endpoint = { ...branch, endpoint: 'primary' };

interface Fault {
  readonly answer: Answer;
  readonly code: LakebaseErrorCode;
  readonly unreachable?: UnreachableCause;
}

const faults: Record<string, Fault> = {
  'a reset': { answer: reset, code: 'unreachable', unreachable: 'reset' },
  'a page that quotes the request': { answer: echo(502), code: 'unavailable' },
  'a refusal that quotes the request': { answer: echo(401), code: 'unauthenticated' },
  'an error that quotes the request': {
    answer: (response, { headers }) =>
      void response
        .writeHead(400)
        .end(JSON.stringify({ error_code: 'BAD_REQUEST', message: `what is ${headers.authorization}?` })),
    code: 'invalid',
  },
  'a redirect': {
    answer: (response) => void response.writeHead(302, { location: '/login' }).end(),
    code: 'unavailable',
  },
  'an empty body': { answer: (response) => void response.end(), code: 'unavailable' },
  'JSON that is cut off behind the token': {
    answer: (response) => void response.end(`{"token":"${mintedToken}`),
    code: 'unavailable',
  },
  'a credential without an end': { answer: json({ token: mintedToken }), code: 'unavailable' },
  'a credential whose fields are mixed up': {
    answer: json({ token: 7, expire_time: mintedToken }),
    code: 'unavailable',
  },
  'an answer that breaks off': {
    answer: (response) =>
      void response
        .writeHead(200, { 'content-length': 9999 })
        .write(`{"token":"${mintedToken}"`, () => response.destroy()),
    code: 'unreachable',
    unreachable: 'reset',
  },
  'an answer that is not HTTP': {
    answer: (response) => void response.socket?.end(`${mintedToken}\r\n\r\n`),
    code: 'unreachable',
    unreachable: 'other',
  },
};

const expected = ({ code, unreachable }: Fault): object => ({ code, ...(unreachable && { details: { unreachable } }) });

test.each(Object.entries(faults))('%s, while minting', async (_, fault) => {
  await using server = await startFaultServer(workspace(fault.answer));
  expect(await failureOf(clientOf(server.url).mintCredential(endpoint, 900))).toMatchObject(expected(fault));
});

test.each(Object.entries(faults))('%s, while writing: sent once', async (_, fault) => {
  await using server = await startFaultServer(workspace(fault.answer));
  expect(await failureOf(clientOf(server.url).deleteBranch(branch))).toMatchObject(expected(fault));
  const sent = server.requests.filter(({ method }) => method === 'DELETE').length;
  expect(sent).toBe(fault.code === 'unauthenticated' ? 2 : 1);
});

test.each(Object.entries(faults))('%s, while logging in', async (_, fault) => {
  await using server = await startFaultServer((response, request) =>
    (request.path === '/oidc/v1/token' ? fault.answer : workspace(reset))(response, request),
  );
  const error = await failureOf(clientOf(server.url).getBranch(branch));
  expect(error.message).toMatch(/^cannot get an access token: /);
  expect(error).toMatchObject(expected(fault));
});

test.each(Object.entries(faults))('%s, while exchanging the projected token', async (_, fault) => {
  await using server = await startFaultServer((response, request) =>
    (request.path === '/oidc/v1/token' ? fault.answer : workspace(reset))(response, request),
  );
  const error = await failureOf(workloadOf(server.url).getBranch(branch));
  expect(error.message).toMatch(/^cannot get an access token: /);
  // Whatever a token endpoint says against the token is about who may have it.
  expect(error).toMatchObject(fault.code === 'invalid' ? { code: 'unauthenticated' } : expected(fault));
});

test.each<[what: string, token: string]>([
  ['a line break', `${accessToken}\r\nx: y`],
  ['a character that no header can hold', `${accessToken}\u{1F511}`],
])('an access token with %s', async (_, token) => {
  await using server = await startFaultServer(workspace(reset));
  server.next.push(
    json({ token_endpoint: `${server.url}/oidc/v1/token` }),
    json({ access_token: token, expires_in: 3600 }),
  );
  expect(await failureOf(clientOf(server.url).getBranch(branch))).toMatchObject({ code: 'unreachable' });
});

test('a server that is not trusted hears nothing', async () => {
  const authority = await newAuthority();
  await using server = await startFaultServer(
    workspace(reset),
    await authority.issue('x', [{ type: 'ip', value: '127.0.0.1' }]),
  );
  expect(await failureOf(clientOf(server.url).getBranch(branch))).toMatchObject({
    code: 'unreachable',
    details: { unreachable: 'tls' },
  });
  expect(server.requests).toEqual([]);
});

test('a proxy that refuses', async () => {
  await using proxy = await startConnectProxy();
  proxy.verdict = 407;
  const url = proxy.url.replace('http://', `http://app-1:${clientSecret}@`);
  expect(await failureOf(clientOf('https://dbc.example', { proxy: { url } }).getBranch(branch))).toMatchObject({
    code: 'unreachable',
    details: { unreachable: 'proxy' },
  });
});

test('a name that does not resolve', async () => {
  expect(await failureOf(clientOf(`https://${'x'.repeat(64)}.invalid`).getBranch(branch))).toMatchObject({
    code: 'unreachable',
    details: { unreachable: 'dns' },
  });
});

test('a stalled answer ends at the deadline', async () => {
  const clock = new ManualClock(new Date('2026-03-01T12:00:00Z'));
  await using server = await startFaultServer(workspace(blackHole));
  const failure = failureOf(clientOf(server.url, {}, clock).mintCredential(endpoint, 900));
  await expect
    .poll(() => server.requests.some(({ path }) => path.endsWith('/credentials')), { timeout: 30_000 })
    .toBe(true);
  clock.advance(30_000);
  expect(await failure).toMatchObject({ code: 'unreachable', details: { unreachable: 'timeout' } });
});

test('a write whose answer is lost says so, and may have landed', async () => {
  await using server = await startFaultServer(workspace(reset));
  const create = { project: 'shop', id: 'pr-1', source: 'production', expireTime: new Date('2026-03-03T12:00:00Z') };
  expect(hasCode(await failureOf(clientOf(server.url).createBranch(create)), 'unreachable')).toBe(true);
  expect(server.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/branches'))).toHaveLength(1);
});
