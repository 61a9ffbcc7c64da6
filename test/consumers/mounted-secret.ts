// Files as the kubelet lays them for a Secret volume: every key is a link through `..data`, which is switched at once.
import { mkdir, mkdtemp, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** Writes `values` so that a reader sees all of the old files or all of the new ones. Keys stay what they were. */
export async function mountSecret(folder: string, values: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const before = await linked(join(folder, '..data'));
  const fresh = await mkdtemp(`${folder}/..`);
  for (const [key, value] of Object.entries(values)) await writeFile(join(fresh, key), value);
  await symlink(basename(fresh), join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
  for (const key of Object.keys(values))
    if ((await linked(join(folder, key))) === undefined) await symlink(`..data/${key}`, join(folder, key));
  if (before !== undefined) await rm(join(folder, before), { recursive: true });
}

const linked = (path: string): Promise<string | undefined> => readlink(path).catch(() => undefined);
