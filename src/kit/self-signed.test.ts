import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { selfSigned } from './self-signed.ts';

const now = new Date('2026-11-25T10:00:00Z');

test('a certificate is signed by its own key, for its name, and valid for years', () => {
  const { cert, key } = selfSigned('lakebranch', now);
  const read = new X509Certificate(cert);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(key).toMatch(/^-----BEGIN PRIVATE KEY-----/);
  expect([read.subject, read.issuer, read.subjectAltName]).toEqual([
    'CN=lakebranch',
    'CN=lakebranch',
    'DNS:lakebranch',
  ]);
  expect(read.checkHost('lakebranch')).toBe('lakebranch');
  expect(new Date(read.validFrom) < now && new Date(read.validTo) > new Date('2036-01-01')).toBe(true);
});

test('no two are alike', () => {
  const [one, another] = [selfSigned('lakebranch', now), selfSigned('lakebranch', now)].map(
    ({ cert }) => new X509Certificate(cert),
  );
  expect(one?.serialNumber).not.toBe(another?.serialNumber);
  expect(one?.fingerprint256).not.toBe(another?.fingerprint256);
});
