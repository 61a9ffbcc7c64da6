// The certificate of a server of ours: from a folder in which others renew it, or made for this process alone.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';

/** Key and chain, both PEM. */
export interface ServingCertificate {
  readonly key: string;
  readonly cert: string;
}

/** One line that names the folder and what is wrong in it. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

/** `tls.crt` and `tls.key` of a folder, as in a mounted Secret. Throws CertificateError. */
export async function certificateIn(folder: string, setting: string): Promise<ServingCertificate> {
  const read = async (name: string): Promise<string> => {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'cannot be read';
      throw new CertificateError(
        `${setting}: ${join(folder, name)}: ${code}. Mount a Secret of type kubernetes.io/tls`,
      );
    }
  };
  const [cert, key] = await Promise.all([read('tls.crt'), read('tls.key')]);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new CertificateError(
      `${setting}: tls.crt and tls.key in ${folder} are no certificate with its key (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`,
    );
  }
  return { cert, key };
}

const validMs = 10 * 365 * 86_400_000;

/** Nobody can check it: it only keeps the token of a scraper from being read on the way. */
export async function selfSigned(name: string, now: Date): Promise<ServingCertificate> {
  // Only when asked for: it would add to the memory of every process.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [name] }],
      notBefore: new Date(now.getTime() - 3_600_000),
      notAfter: new Date(now.getTime() + validMs),
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
      ],
    },
    crypto,
  );
  const key = x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { key, cert: certificate.toString('pem') };
}
