// Packages of Debian, when they are missing.

import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { runLogged, withProgress } from '../../scripts/long-step.mjs';
import { cacheFolder } from './toolchain.ts';

/** Tells the packages' scripts not to start what they install. */
const policy = '/usr/sbin/policy-rc.d';

/** Only root may, and only where there is apt. */
export const mayInstall = (): boolean =>
  process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

/** Installs what is missing of these packages, with a line that says so. Starts none of their services. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of packages) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;
  const policyIsOurs = !existsSync(policy);
  if (policyIsOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await withProgress(`Installing ${missing.join(', ')} with apt-get`, async () => {
      await apt('update', ['update']);
      await apt('install', ['install', '--yes', '--no-install-recommends', ...missing]);
    });
  } finally {
    if (policyIsOurs) rmSync(policy, { force: true });
  }
}

async function isInstalled(name: string): Promise<boolean> {
  const format = '--showformat=${Status}';
  const { stdout, exitCode } = await $({ nothrow: true, quiet: true })`dpkg-query --show ${format} ${name}`;
  return exitCode === 0 && stdout.includes('install ok installed');
}

const suite = 'bookworm';

/** A root file system with these packages and what Debian cannot be without, as a tar. */
export async function debootstrap(packages: readonly string[], tar: string, hook?: string): Promise<void> {
  await installPackages(['mmdebstrap']);
  const unread = ['doc', 'info', 'locale', 'man'].map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);
  const hooks = hook === undefined ? [] : [`--customize-hook=${hook}`];
  const args = ['--quiet', '--variant=minbase', '--dpkgopt=force-unsafe-io', ...unread, ...hooks];
  await $({ quiet: true })`mmdebstrap ${args} --include=${packages.join(',')} ${suite} ${tar}`;
}

const apt = (step: string, args: readonly string[]): Promise<void> =>
  runLogged(`apt-get ${step}`, join(cacheFolder(), `apt-${step}.log`), 'apt-get', args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
