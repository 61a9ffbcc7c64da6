import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { namesForAddress, openCertificateAuthority } from './certificates.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'lakebranch-test-'))));
afterEach(() => rm(folder, { recursive: true }));

test('the authority survives a restart, so that clients need not trust another', async () => {
  const before = await openCertificateAuthority(folder);
  const after = await openCertificateAuthority(folder);
  expect(after.certificate).toBe(before.certificate);
  const { cert } = await after.issue(['127.64.0.1']);
  expect(new X509Certificate(cert).verify(new X509Certificate(before.certificate).publicKey)).toBe(true);
});

test('only the owner can read its key', async () => {
  await openCertificateAuthority(folder);
  expect((await stat(join(folder, 'ca.key'))).mode & 0o777).toBe(0o600);
});

test('the certificate of an address names it as an address and as a name, and localhost', async () => {
  const authority = await openCertificateAuthority(folder);
  const { cert } = await authority.issue(namesForAddress('127.64.0.1'));
  expect(new X509Certificate(cert).subjectAltName).toBe('IP Address:127.64.0.1, DNS:127.64.0.1, DNS:localhost');
});

test('a certificate is made once for the same names', async () => {
  const authority = await openCertificateAuthority(folder);
  const [first, again, other] = await Promise.all([
    authority.issue(['127.64.0.1']),
    authority.issue(['127.64.0.1']),
    authority.issue(['127.64.0.2']),
  ]);
  expect(again).toBe(first);
  expect(other.cert).not.toBe(first.cert);
});

test.each([
  ['an address', '127.0.0.1', true],
  ['a name', 'localhost', true],
  ['a name of a pattern', 'ep-1.lakebase.svc', true],
  ['a name that is not in it', 'ep-1.elsewhere.svc', false],
])('a TLS client that trusts the authority and asks for %s', async (_what, servername, accepted) => {
  const authority = await openCertificateAuthority(folder);
  const certificate = await authority.issue([...namesForAddress('127.0.0.1'), '*.lakebase.svc']);
  const server = createServer({ ...certificate });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const name = servername === '127.0.0.1' ? {} : { servername };
  const outcome = await new Promise<boolean>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certificate, ...name });
    socket.once('secureConnect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('secureConnect', () => socket.destroy());
  });
  server.close();
  expect(outcome).toBe(accepted);
});

test('a damaged key is named, with what to do', async () => {
  await openCertificateAuthority(folder);
  await writeFile(join(folder, 'ca.key'), 'not a key');
  await expect(openCertificateAuthority(folder)).rejects.toThrow(/ca\.key and ca\.crt cannot be read .* delete both/);
});
