// The kubelet sets these for the whole machine. Who borrowed the machine puts them back.

import { readFileSync, writeFileSync } from 'node:fs';

const names = [
  'kernel/keys/root_maxbytes',
  'kernel/keys/root_maxkeys',
  'kernel/panic',
  'kernel/panic_on_oops',
  'vm/overcommit_memory',
  'vm/panic_on_oom',
];

/** Remembers the values and returns what writes them back. A value that cannot be read or written is left alone. */
export function keepSysctls(): () => void {
  const kept = names.flatMap((name) => {
    try {
      return [{ file: `/proc/sys/${name}`, value: readFileSync(`/proc/sys/${name}`, 'utf8') }];
    } catch {
      return [];
    }
  });
  return () => {
    for (const { file, value } of kept) {
      try {
        if (readFileSync(file, 'utf8') !== value) writeFileSync(file, value);
      } catch {
        // Not ours to set.
      }
    }
  };
}
