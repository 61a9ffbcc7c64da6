// The emulator's own certificate authority. Its key and certificate are kept with the state, so that a client that
// trusted it once trusts it after a restart; the certificates it signs live in memory only.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { readIfThere, replaceFile } from './kept-file.ts';

/** A key with its certificate chain, both PEM: what `tls.createSecureContext` and `https.createServer` take. */
export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

export interface CertificateAuthority {
  /** PEM, for clients that are to trust the emulator. */
  readonly certificate: string;
  /**
   * A server certificate for an IP address or a name; the first one of `names` becomes its subject. A name may be a
   * pattern like `*.lakebase.svc`. The same names give the same certificate as long as the process lives.
   */
  issue(names: readonly string[]): Promise<ServerCertificate>;
}

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };
const dayMs = 86_400_000;
const authorityDays = 3650;
/** Some clients refuse more than 825. */
const serverDays = 800;

interface SigningKey {
  readonly certificate: x509.X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

/** Loads the authority kept in `stateDir` (`ca.key`, `ca.crt`), or makes it at the first start. */
export async function openCertificateAuthority(stateDir: string): Promise<CertificateAuthority> {
  const authority = (await load(stateDir)) ?? (await create(stateDir));
  const issued = new Map<string, Promise<ServerCertificate>>();
  return {
    certificate: pem(authority.certificate),
    issue(names) {
      const key = names.join(' ');
      let certificate = issued.get(key);
      if (!certificate) issued.set(key, (certificate = sign(authority, names)));
      return certificate;
    },
  };
}

/**
 * The names a certificate of an IP address carries. Some clients check an address against the name `localhost` (node
 * `pg` before 8.23.1), others look for an address among the DNS names (libpq up to 14).
 */
export const namesForAddress = (address: string): string[] => [address, 'localhost'];

async function load(stateDir: string): Promise<SigningKey | undefined> {
  const keyText = await readIfThere(join(stateDir, 'ca.key'));
  const certificateText = await readIfThere(join(stateDir, 'ca.crt'));
  if (keyText === undefined || certificateText === undefined) return undefined;
  try {
    const certificate = new x509.X509Certificate(certificateText);
    const pkcs8 = x509.PemConverter.decodeFirst(keyText);
    const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, keyAlgorithm, false, ['sign']);
    return { certificate, privateKey };
  } catch (error) {
    throw new Error(
      `${join(stateDir, 'ca.key')} and ca.crt cannot be read as a certificate authority: delete both and the next ` +
        `start makes new ones, which clients then have to trust anew`,
      { cause: error },
    );
  }
}

async function create(stateDir: string): Promise<SigningKey> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: newSerialNumber(),
      name: 'CN=lakebranch emulator CA',
      ...validity(authorityDays),
      keys,
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  await mkdir(stateDir, { recursive: true });
  // The certificate comes last: without it the pair does not count, and the next start makes another.
  await replaceFile(join(stateDir, 'ca.key'), await exportKey(keys.privateKey), 0o600);
  await replaceFile(join(stateDir, 'ca.crt'), pem(certificate), 0o644);
  return { certificate, privateKey: keys.privateKey };
}

async function sign(authority: SigningKey, names: readonly string[]): Promise<ServerCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: newSerialNumber(),
      subject: [{ CN: [names[0] ?? 'localhost'] }],
      issuer: authority.certificate.subjectName,
      ...validity(serverDays),
      publicKey: keys.publicKey,
      signingKey: authority.privateKey,
      signingAlgorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(names)),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
        await x509.AuthorityKeyIdentifierExtension.create(authority.certificate, false, webcrypto),
      ],
    },
    webcrypto,
  );
  return { key: await exportKey(keys.privateKey), cert: pem(certificate) + pem(authority.certificate) };
}

/** Every IP address also stands there as a name, see `namesForAddress`. */
function alternativeNames(names: readonly string[]): { type: 'ip' | 'dns'; value: string }[] {
  const addresses = names.filter((name) => isIP(name) !== 0);
  return [
    ...addresses.map((value) => ({ type: 'ip' as const, value })),
    ...names.map((value) => ({ type: 'dns' as const, value })),
  ];
}

/** By the machine's clock, not the emulator's: clients compare with theirs. An hour back, for clocks that lag. */
function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + days * dayMs) };
}

const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
  webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);

/** Sixteen random bytes; the leading 4 keeps the number positive and without a leading zero. */
const newSerialNumber = (): string =>
  `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
    .toString('hex')
    .slice(1)}`;

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

const pem = (certificate: x509.X509Certificate): string => `${certificate.toString('pem')}\n`;
