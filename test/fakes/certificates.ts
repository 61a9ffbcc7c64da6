// Certificates for TLS tests, made in memory.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const signing = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const dayMs = 86_400_000;

const pemOf = async (key: webcrypto.CryptoKey): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');

const newKeys = (): Promise<webcrypto.CryptoKeyPair> => webcrypto.subtle.generateKey(signing, true, ['sign', 'verify']);

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly ca: string;
  issue(commonName: string, altNames: readonly { type: 'ip' | 'dns'; value: string }[]): Promise<Issued>;
}

/** A new certificate authority, valid around `now`. */
export async function newAuthority(now = new Date()): Promise<Authority> {
  const keys = await newKeys();
  const valid = { notBefore: new Date(now.getTime() - dayMs), notAfter: new Date(now.getTime() + dayMs) };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test authority',
    keys,
    signingAlgorithm: signing,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    ...valid,
  });
  return {
    ca: root.toString('pem'),
    async issue(commonName, altNames) {
      const own = await newKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        subject: `CN=${commonName}`,
        issuer: root.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: signing,
        extensions: [new x509.SubjectAlternativeNameExtension([...altNames])],
        ...valid,
      });
      return { cert: certificate.toString('pem'), key: await pemOf(own.privateKey) };
    },
  };
}
