// Runs a program to its end.
import { spawn } from 'node:child_process';
import type { Owner } from './owner.ts';

export interface Outcome {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly output: string;
}

export interface CommandOptions {
  readonly owner?: Owner;
  readonly cwd?: string;
  readonly input?: string;
}

/** Resolves when the program has ended, however it ended; rejects only if it could not be started. */
export function runCommand(program: string, args: readonly string[], options: CommandOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      ...options.owner,
      cwd: options.cwd ?? '/',
      // Messages in English, because some are read; nothing of our own environment, where secrets may be.
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString('utf8') }));
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** Like `runCommand`, but a failure of the program rejects with what it said. */
export async function mustRun(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, output } = await runCommand(program, args, options);
  if (code !== 0) throw new Error(`${program} failed: ${output.trim().slice(-2000)}`);
  return output;
}
