import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../kit/clock.ts';
import { namesForAddress, openCertificateAuthority, type CertificateAuthority } from './certificates.ts';
import { answerAdmin } from './admin.ts';
import { createEmulator, type Emulator } from './emulator.ts';
import { noDataPlane } from './no-data-plane.ts';
import { startServer, type RunningServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'emulator-server-'));
const logged: string[] = [];
let authority: CertificateAuthority;
let emulator: Emulator;
let server: RunningServer;

beforeAll(async () => {
  authority = await openCertificateAuthority(folder);
  emulator = createEmulator({ clock: systemClock, dataPlane: noDataPlane() });
  server = await start(true);
});

beforeEach(() => emulator.faults.clear());

afterAll(async () => {
  await server.close();
  await emulator.stop();
  rmSync(folder, { recursive: true });
});

async function start(admin: boolean, httpPort = 0): Promise<RunningServer> {
  return startServer(
    {
      emulator,
      caCertificate: authority.certificate,
      serverCertificate: await authority.issue(namesForAddress('127.0.0.1')),
      ...(admin ? { admin: (request) => answerAdmin(emulator, request) } : {}),
      log: (message, fields) => void logged.push(`${message} ${JSON.stringify(fields)}`),
    },
    { host: '127.0.0.1', httpPort, httpsPort: 0 },
  );
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, unknown>;
}

const url = (path: string): string => `http://127.0.0.1:${server.httpPort}${path}`;

function ask(method: string, to: string, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const send = to.startsWith('https') ? httpsRequest : httpRequest;
    const request = send(to, { method, ca: authority.certificate, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, text: Buffer.concat(chunks).toString(), headers });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('http and https answer the same, each with its own address', async () => {
  const config = '/.well-known/databricks-config';
  const http = await ask('GET', url(config));
  const https = await ask('GET', `https://127.0.0.1:${server.httpsPort}${config}`);
  expect(JSON.parse(http.text)).toMatchObject({ oidc_endpoint: `http://127.0.0.1:${server.httpPort}/oidc` });
  expect(JSON.parse(https.text)).toMatchObject({ oidc_endpoint: `https://127.0.0.1:${server.httpsPort}/oidc` });
});

test('the CA is there to be trusted', async () => {
  expect(await ask('GET', url('/ca.crt'))).toMatchObject({ status: 200, text: authority.certificate });
});

test('a HEAD of the root has no body', async () => {
  expect(await ask('HEAD', url('/'))).toMatchObject({ status: 200, text: '' });
});

test('what is not there is 404 at once, also without credentials', async () => {
  const { status, text } = await ask('GET', url('/api/2.0/clusters/list'));
  expect(status).toBe(404);
  expect(JSON.parse(text)).toMatchObject({
    error_code: 'ENDPOINT_NOT_FOUND',
    message: "No API found for 'GET /clusters/list'",
  });
});

test('a lost answer is a broken connection', async () => {
  emulator.faults.inject({ times: 1, trouble: { kind: 'loseAnswer' } });
  await expect(ask('GET', url('/.well-known/databricks-config'))).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect((await ask('GET', url('/.well-known/databricks-config'))).status).toBe(200);
});

test('a body beyond a megabyte is broken off', async () => {
  const body = Buffer.alloc(2 * 1024 * 1024, 'x');
  await expect(ask('POST', url('/oidc/v1/token'), body)).rejects.toThrow();
});

test('a request target that is no path does no harm', async () => {
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.httpPort, '127.0.0.1', () => {
      socket.write('GET http://[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  expect((await ask('GET', url('/ca.crt'))).status).toBe(200);
});

test('faults come and go over the admin routes', async () => {
  const fault = { path: '/.well-known/**', trouble: { kind: 'answer', status: 503, retryAfterSeconds: 3 } };
  expect((await ask('POST', url('/admin/faults'), JSON.stringify(fault))).status).toBe(200);
  const refused = await ask('GET', url('/.well-known/databricks-config'));
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '3' } });
  await ask('DELETE', url('/admin/faults'));
  expect((await ask('GET', url('/.well-known/databricks-config'))).status).toBe(200);
});

test('behaviour changes over the admin routes, part by part', async () => {
  const change = {
    initMs: 5,
    grantedSeconds: 30,
    limits: { branches: 3 },
    variants: { branchExists: { status: 409 } },
  };
  const { status, text } = await ask('PATCH', url('/admin/behaviour'), JSON.stringify(change));
  expect(status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({
    initMs: 5,
    grantedSeconds: 30,
    limits: { branches: 3, unarchivedBranches: 10 },
    variants: { branchExists: { status: 409 } },
  });
  expect(emulator.faults.behaviour.initMs).toBe(5);
});

test.each([
  ['PATCH', '/admin/behaviour', '{"initMS":5}', 400, 'initMS'],
  ['PATCH', '/admin/behaviour', '{"variants":{"nope":{}}}', 400, 'variants.nope'],
  ['POST', '/admin/faults', '{"trouble":{"kind":"fire"}}', 400, 'kind'],
  ['POST', '/admin/faults', 'x', 400, 'JSON'],
  ['GET', '/admin/nope', '', 404, 'there is no GET /admin/nope'],
])('%s %s with %s is refused with words', async (method, path, body, status, words) => {
  const answer = await ask(method, url(path), body);
  expect(answer.status).toBe(status);
  expect((JSON.parse(answer.text) as { error: string }).error).toContain(words);
});

test('what happened can be read over the admin routes', async () => {
  const log = JSON.parse((await ask('GET', url('/admin/log'))).text) as { what: string }[];
  expect(log.map(({ what }) => what)).toContain('project.create');
  const branches = JSON.parse((await ask('GET', url('/admin/branches'))).text) as object[];
  expect(branches).toMatchObject([{ id: 'production', project: 'shop', state: 'READY' }]);
  expect((await ask('GET', url('/admin/requests'))).status).toBe(200);
});

test('without the switch there are no admin routes', async () => {
  const plain = await start(false);
  try {
    const answer = await ask('GET', `http://127.0.0.1:${plain.httpPort}/admin/log`);
    expect(answer.status).toBe(404);
    expect(answer.text).not.toContain('project.create');
  } finally {
    await plain.close();
  }
});

test('a port that is taken is an error, and the other one is given back', async () => {
  await expect(start(false, server.httpPort)).rejects.toMatchObject({ code: 'EADDRINUSE', port: server.httpPort });
});
