// PostgreSQL refuses to run as root. When the emulator is root, the instances and their files belong to `nobody`.
import { chmod, chown, mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The user whose processes the instances are; undefined means: the one who runs the emulator. */
export type Owner = { readonly uid: number; readonly gid: number } | undefined;

export async function findOwner(): Promise<Owner> {
  if (process.getuid?.() !== 0) return undefined;
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const nobody = users.split('\n').find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = nobody?.split(':') ?? [];
  if (!Number(uid) || !Number(gid)) {
    throw new Error(
      'PostgreSQL cannot run as root, and this machine has no user nobody to run it as: start the emulator as an ordinary user',
    );
  }
  return { uid: Number(uid), gid: Number(gid) };
}

/** Makes a folder that only the instances (and root) can enter. */
export async function makeOwnedFolder(path: string, owner: Owner): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await giveTo(path, owner);
}

export async function giveTo(path: string, owner: Owner): Promise<void> {
  if (owner) await chown(path, owner.uid, owner.gid);
}

/**
 * Makes the state folder if need be and sees to it that the owner can pass through it. The folders above it are not
 * ours to change, so the error names the one that is closed.
 */
export async function makeReachable(stateDir: string, owner: Owner): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: owner ? 0o711 : 0o700 });
  if (!owner) return;
  const path = await realpath(stateDir);
  await chmod(path, ((await stat(path)).mode & 0o777) | 0o011);
  for (let above = dirname(path); ; above = dirname(above)) {
    if (!(await canEnter(above, owner))) {
      throw new Error(
        `the databases cannot be kept in ${stateDir}: PostgreSQL does not run as root but as nobody, who may not enter ` +
          `${above}; choose another --state-dir, start as an ordinary user, or run chmod o+x ${above}`,
      );
    }
    if (above === dirname(above)) return;
  }
}

async function canEnter(folder: string, owner: NonNullable<Owner>): Promise<boolean> {
  const { uid, gid, mode } = await stat(folder);
  if (uid === owner.uid) return (mode & 0o100) !== 0;
  if (gid === owner.gid) return (mode & 0o010) !== 0;
  return (mode & 0o001) !== 0;
}
