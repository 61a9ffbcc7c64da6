// The mutants that may survive, each with the reason why nobody could see a difference.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Accepted {
  readonly file: string;
  /** As the run prints it. */
  readonly id: string;
  readonly why: string;
}

export const acceptedFile = 'test/mutation/survivors.json';

export function readAccepted(): readonly Accepted[] {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'survivors.json'), 'utf8')) as readonly Accepted[];
}
