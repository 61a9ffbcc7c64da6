import type { SpawnOptions } from 'node:child_process';

export class SetupError extends Error {}
export function runMain(main: () => Promise<void>): Promise<void>;
export function elapsed(sinceMs: number): string;
export function withProgress<T>(
  label: string,
  body: () => Promise<T>,
  words?: { hint?: string; detail?: () => string },
): Promise<T>;
export function runLogged(
  what: string,
  logFile: string,
  command: string,
  args: readonly string[],
  options?: SpawnOptions,
): Promise<void>;
export function withLock<T>(lockDir: string, what: string, body: () => Promise<T>): Promise<T>;
