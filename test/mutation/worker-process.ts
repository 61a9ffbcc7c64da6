// One worker from outside: started when needed, killed with everything below it when a mutant does not come to an end.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { overLimit, type Answer, type Task } from './messages.ts';

export type Result = Answer | 'timeout' | 'crashed';

export class WorkerProcess {
  #child: ChildProcess | undefined;

  /** 'timeout' over the limit of the task, 'crashed' if the process ended, as one does that has no memory left. */
  async run(task: Task): Promise<Result> {
    const process = (this.#child ??= await start());
    const stop = new AbortController();
    process.send(task);
    const result = await Promise.race([
      once(process, 'message', stop).then(([message]) => (message === overLimit ? 'timeout' : (message as Answer))),
      once(process, 'exit', stop).then(() => 'crashed' as const),
    ]);
    stop.abort();
    if (typeof result === 'string') this.close();
    return result;
  }

  close(): void {
    if (this.#child) kill(this.#child);
    this.#child = undefined;
  }
}

async function start(): Promise<ChildProcess> {
  // A group of its own, so that its threads and processes end with it.
  const child = fork(join(import.meta.dirname, 'worker.ts'), {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const [ready] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (ready !== 'ready') throw new Error('a worker of the mutation run did not start; what it said stands above');
  return child;
}

function kill({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
