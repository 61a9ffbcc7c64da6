import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runLogged, SetupError, withLock } from './long-step.mjs';

let folder: string;
let lock: string;
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the signs of life
  folder = mkdtempSync(join(tmpdir(), 'lakebranch-lock-'));
  lock = join(folder, 'lock');
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe('the lock', () => {
  test('is held by one at a time', async () => {
    let holders = 0;
    let most = 0;
    const hold = (): Promise<void> =>
      withLock(lock, 'test', async () => {
        most = Math.max(most, ++holders);
        for (let i = 0; i < 20; i++) await setImmediate();
        holders--;
      });
    await Promise.all(Array.from({ length: 6 }, hold));
    expect(most).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is given back when the work fails', async () => {
    await expect(withLock(lock, 'test', () => Promise.reject(new Error('work failed')))).rejects.toThrow('work failed');
    await expect(withLock(lock, 'test', () => Promise.resolve('next'))).resolves.toBe('next');
  });

  test('is taken over from a process that died', async () => {
    leftBy('2147483646 dead'); // no system gives a pid as high as this
    await expect(withLock(lock, 'test', () => Promise.resolve('mine'))).resolves.toBe('mine');
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is taken over from one that has been silent for minutes, though its pid is in use', async () => {
    leftBy(`${process.pid} silent`);
    utimesSync(join(lock, 'owner'), 0, 0);
    await expect(withLock(lock, 'test', () => Promise.resolve('mine'))).resolves.toBe('mine');
  });

  test('is not taken from one that lives', async () => {
    leftBy(`${process.pid} alive`);
    let entered = false;
    const waiting = withLock(lock, 'test', async () => {
      entered = true;
    });
    for (let i = 0; i < 100; i++) await setImmediate();
    expect(entered).toBe(false);
    rmSync(lock, { recursive: true });
    await waiting;
    expect(entered).toBe(true);
  });

  function leftBy(owner: string): void {
    mkdirSync(lock);
    writeFileSync(join(lock, 'owner'), owner);
  }
});

describe('a logged command', () => {
  test('leaves its output in the log', async () => {
    const log = join(folder, 'logs', 'echo.log');
    await runLogged('echo', log, 'sh', ['-c', 'echo out; echo err >&2']);
    expect(readFileSync(log, 'utf8')).toBe('out\nerr\n');
  });

  test.each([
    ['it exits with a code', 'sh', ['-c', 'exit 3'], 'The step failed (exit code 3); see'],
    ['it is killed', 'sh', ['-c', 'kill -9 $$'], 'The step failed (SIGKILL); see'],
    ['it does not exist', join('/nowhere', 'at-all'), [], 'The step failed: spawn'],
  ])('fails in a sentence when %s', async (_, command, args, sentence) => {
    const log = join(folder, 'step.log');
    const failure = runLogged('The step', log, command, args);
    await expect(failure).rejects.toBeInstanceOf(SetupError);
    await expect(failure).rejects.toThrow(sentence);
    expect(existsSync(log)).toBe(true);
  });
});
