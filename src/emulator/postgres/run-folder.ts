// Where the sockets lie: a short path of its own for every state folder, always the same one, so that the next start
// finds what a killed emulator has left there.
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RunFolder {
  /** The folder for the socket of one instance. */
  socketDir(branchUid: string): string;
  close(): Promise<void>;
}

/** A socket's path has at most 107 bytes; `/.s.PGSQL.5432` and the longest uid must still fit. */
const longestTemporaryFolder = 32;

/** The folder that belongs to a state folder, whether it exists or not. */
export async function runFolderOf(stateDir: string): Promise<string> {
  const base = Buffer.byteLength(tmpdir()) > longestTemporaryFolder ? '/tmp' : tmpdir();
  return join(base, `lakebranch-${shortHash(await realpath(stateDir))}`);
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);

/** Rejects when another emulator works in the same state folder. */
export async function openRunFolder(stateDir: string): Promise<RunFolder> {
  const folder = await runFolderOf(stateDir);
  await makePrivate(folder);
  const lock = join(folder, 'lock');
  if (await answers(lock)) {
    throw new Error(`another emulator works in ${stateDir}: stop it, or choose another --state-dir`);
  }
  await rm(lock, { force: true });
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(lock, resolve));
  return {
    socketDir: (branchUid) => join(folder, shortHash(branchUid)),
    async close() {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Others may pass through it to the sockets of the instances' user, and see nothing. */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${folder} belongs to somebody else: remove it, or set TMPDIR to a folder of your own`);
  }
  await chmod(folder, process.getuid() === 0 ? 0o711 : 0o700);
}

/** The kernel ends a listening socket with its process, so an answer means that the other one lives. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
