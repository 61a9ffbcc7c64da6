// The kubelet sets these for the whole machine. Who borrowed the machine puts them back.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const names = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/**
 * Keeps the values in a file and returns what writes them back and removes it. A file that is there already is of a
 * process that was killed, and counts. A value that cannot be read or written is left alone.
 */
export function keepSysctls(file: string): () => void {
  if (!existsSync(file))
    writeFileSync(file, JSON.stringify(Object.fromEntries(names.map((name) => [name, read(name)]))));
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  return () => {
    for (const [name, value] of Object.entries(kept)) {
      try {
        if (read(name) !== value) writeFileSync(pathOf(name), value);
      } catch {
        // Not ours to set.
      }
    }
    rmSync(file, { force: true });
  };
}

const pathOf = (name: string): string => `/proc/sys/${name}`;

function read(name: string): string | undefined {
  try {
    return readFileSync(pathOf(name), 'utf8');
  } catch {
    return undefined; // and so it is left out of the JSON
  }
}
