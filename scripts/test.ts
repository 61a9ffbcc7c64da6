// `make test`: all tests, and as the last line how many passed and failed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findOrBuildBinaries } from '../test/control-plane/binaries.ts';
import { toolBinary } from '../test/tools/build.ts';
import { runMain } from './long-step.mjs';

/** What is read of vitest's JSON report. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

await runMain(async () => {
  // Before the tests begin, because it can take minutes and shows its progress.
  await findOrBuildBinaries();
  await toolBinary('helm');
  const folder = mkdtempSync(join(tmpdir(), 'lakebranch-test-'));
  try {
    const reportFile = join(folder, 'report.json');
    const passed = await runVitest(reportFile);
    console.log(countLine(readReport(reportFile), passed));
    process.exitCode = passed ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function runVitest(reportFile: string): Promise<boolean> {
  const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], { stdio: 'inherit' });
  // A Ctrl-C reaches vitest by itself; this process stays for the last line.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code === 0;
}

/** A vitest that dies early leaves no report. */
function readReport(file: string): Report {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Report;
  return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
}

/** Trouble outside any test, such as a file that cannot be loaded, counts as a failure: 0 failed means all is well. */
function countLine(report: Report, passed: boolean): string {
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.length,
  );
  const failed = report.numFailedTests + broken.length;
  const skipped = report.numPendingTests + report.numTodoTests;
  const counts = `${report.numPassedTests} passed, ${failed === 0 && !passed ? 1 : failed} failed`;
  return skipped === 0 ? counts : `${counts}, ${skipped} skipped`;
}
