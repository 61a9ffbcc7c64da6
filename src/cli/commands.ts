// All commands, in the order in which help and documentation tell of them.
import type { Command } from './command.ts';
import { completion } from './commands/completion.ts';
import { doctor } from './commands/doctor.ts';
import { env } from './commands/env.ts';
import { extend } from './commands/extend.ts';
import { helpOn } from './commands/help.ts';
import { list } from './commands/list.ts';
import { orphans } from './commands/orphans.ts';
import { park, unpark } from './commands/park.ts';
import { psql } from './commands/psql.ts';
import { reset } from './commands/reset.ts';
import { restore } from './commands/restore.ts';
import { rotate } from './commands/rotate.ts';
import { version } from './commands/version.ts';
import { why } from './commands/why.ts';

export const commands: readonly Command[] = [
  list,
  why,
  psql,
  env,
  extend,
  reset,
  rotate,
  restore,
  park,
  unpark,
  doctor,
  orphans,
  completion,
  version,
  helpOn(() => commands),
];
