// The manifests of deploy/samples with what only this run knows filled in: address, port, authority, credentials.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments, type Document } from 'yaml';
import { classSecretKey } from '../../src/api/names.ts';
import type { ServicePrincipal } from '../../test/stack/emulator.ts';
import type { Stack } from '../../test/stack/stack.ts';

const samples = join(import.meta.dirname, '../../deploy/samples');

/** What the samples call things. */
export const preview = { namespace: 'preview-42', name: 'database' } as const;
export const undo = { namespace: 'incident', name: 'undo' } as const;

/** Writes the manifests into a folder of the stack that only this user can read, and returns it. */
export async function fillSamples({ dir, provider, manager, login }: Stack): Promise<string> {
  const folder = join(dir, 'samples');
  await mkdir(folder, { mode: 0o700 });
  const principals = { 'lakebranch-manager': manager, 'lakebranch-login': login };
  for (const file of (await readdir(samples)).filter((name) => name.endsWith('.yaml'))) {
    const documents = parseAllDocuments(await readFile(join(samples, file), 'utf8')) as Document[];
    for (const document of documents) {
      if (document.get('kind') === 'BranchClass')
        for (const [key, value] of Object.entries(provider)) document.setIn(['spec', 'provider', key], value);
      const principal = Object.entries(principals).find(([name]) => document.getIn(['metadata', 'name']) === name);
      if (document.get('kind') === 'Secret' && principal) document.set('stringData', credentialsOf(principal[1]));
    }
    await writeFile(join(folder, file), documents.map(String).join('---\n'), { mode: 0o600 });
  }
  return folder;
}

/** Writes deploy/samples/more/restore.yaml with this instant, and returns the path of it. */
export async function fillRestore({ dir }: Stack, time: Date): Promise<string> {
  const file = join(dir, 'restore.yaml');
  const documents = parseAllDocuments(await readFile(join(samples, 'more/restore.yaml'), 'utf8')) as Document[];
  for (const document of documents)
    if (document.get('kind') === 'PointInTimeRestore') document.setIn(['spec', 'target', 'time'], time.toISOString());
  await writeFile(file, documents.map(String).join('---\n'));
  return file;
}

const credentialsOf = ({ clientId, clientSecret }: ServicePrincipal): Record<string, string> => ({
  [classSecretKey.clientId]: clientId,
  [classSecretKey.clientSecret]: clientSecret,
});
