// kubectl-lakebranch: the process edge. The same file under the name kubectl_complete-lakebranch completes for kubectl.
import { basename } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const stop = new AbortController();
let lentTo: ((signal: NodeJS.Signals) => void) | undefined;
const onSignal = (name: NodeJS.Signals): void => {
  if (lentTo) {
    lentTo(name);
    return;
  }
  // Whoever presses twice wants out, whatever it is that hangs.
  if (stop.signal.aborted) process.exit(130);
  stop.abort(new Error('interrupted'));
};
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, onSignal);
// The reader of a pipe may have enough before we are through: head, less.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const terminal: Terminal = {
  out: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  env: process.env,
  clock: systemClock,
  signal: stop.signal,
  lendSignals: (to) => {
    lentTo = to;
    return () => (lentTo = undefined);
  },
};

const [, program = '', ...words] = process.argv;
const completing = basename(program).startsWith('kubectl_complete');
process.exitCode = await run(completing ? ['__complete', ...words] : words, terminal);
