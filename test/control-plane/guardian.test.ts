import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startGuardian, type GuardedProcess, type Guardian } from './guardian.ts';

const eventually = { timeout: 60_000, interval: 20 };

let guardian: Guardian;
beforeEach(async () => {
  guardian = await startGuardian('lakebranch-guardian-test');
});
afterEach(() => guardian.end());

/** Starts a shell that runs `script` and then sleeps for longer than any test. */
function shell(name: string, script = ':', endWith: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<GuardedProcess> {
  return guardian.start({ name, command: '/bin/sh', args: ['-c', `${script}; sleep 600 & wait`], endWith });
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('ending takes the processes, their descendants and the folder', async () => {
  const first = await shell('first', 'sleep 600 & echo $!');
  const descendant = await vi.waitFor(() => {
    const pid = Number(readFileSync(first.logFile, 'utf8'));
    expect(pid).toBeGreaterThan(0);
    return pid;
  }, eventually);
  const second = await shell('second');

  await guardian.end();

  expect([first.pid, second.pid, guardian.pid].map(alive)).toEqual([false, false, false]);
  await vi.waitFor(() => expect(alive(descendant)).toBe(false), eventually);
  expect(existsSync(guardian.dir)).toBe(false);
});

test('a process that wants a SIGTERM may tidy up first', async () => {
  const mark = `${guardian.dir}.tidied`;
  const tidy = await shell('tidy', `trap 'touch ${mark}; exit 0' TERM; echo ready`, 'SIGTERM');
  await vi.waitFor(() => expect(readFileSync(tidy.logFile, 'utf8')).toBe('ready\n'), eventually);

  await guardian.end();

  expect(existsSync(mark)).toBe(true);
  rmSync(mark);
});

test('tells how a process ended, and can start it again under the same name', async () => {
  const first = await guardian.start({ name: 'short', command: '/bin/sh', args: ['-c', 'exit 7'] });
  await first.whenEnded();
  expect(first.ended()).toBe('exit code 7');

  const second = await shell('short');
  expect(second.ended()).toBeUndefined();
  second.signal('SIGKILL');
  await second.whenEnded();
  expect(second.ended()).toBe('SIGKILL');
});

test('refuses a program that does not exist', async () => {
  const start = guardian.start({ name: 'missing', command: join(guardian.dir, 'no-such-program'), args: [] });
  await expect(start).rejects.toThrow(/missing: .*ENOENT/);
});

test('refuses a second process under the name of one that runs', async () => {
  const first = await shell('twice');
  await expect(shell('twice')).rejects.toThrow('twice: runs already');
  expect(first.ended()).toBeUndefined();
});

test('a process sees only the environment it is given', async () => {
  const args = ['-c', 'echo "$SECRET-$GIVEN"'];
  vi.stubEnv('SECRET', 'inherited');
  const env = { GIVEN: 'given' };
  const printer = await guardian.start({ name: 'env', command: '/bin/sh', args, env });
  await printer.whenEnded();
  vi.unstubAllEnvs();
  expect(readFileSync(printer.logFile, 'utf8')).toBe('-given\n');
});

test('nothing can be started after the end', async () => {
  await guardian.end();
  await expect(shell('late')).rejects.toThrow('the guardian has ended');
});

test('what outlives its client ends on a SIGTERM to the guardian', async () => {
  const survivor = await shell('survivor');

  await guardian.outlive();
  await vi.waitFor(() => expect(alive(survivor.pid)).toBe(true), eventually);
  process.kill(guardian.pid, 'SIGTERM');

  await vi.waitFor(() => expect([survivor.pid, guardian.pid].map(alive)).toEqual([false, false]), eventually);
  expect(existsSync(guardian.dir)).toBe(false);
});
