// Finding and building with a `go` made of shell, so that the rules are seen without eight minutes of compiling.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { binaryNames, cacheFolder, findBinaries, findOrBuildBinaries } from './binaries.ts';

let folder: string;
beforeEach(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the signs of life
  folder = mkdtempSync(join(tmpdir(), 'lakebranch-binaries-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function programs(where: string, names: readonly string[]): string {
  const path = join(folder, where);
  mkdirSync(path, { recursive: true });
  for (const name of names) {
    writeFileSync(join(path, name), '');
    chmodSync(join(path, name), 0o755);
  }
  return path;
}

describe('finding', () => {
  test('prefers KUBEBUILDER_ASSETS, then PATH, then the cache, one program at a time', () => {
    const assets = programs('assets', ['etcd']);
    const onPath = programs('path', ['etcd', 'kubectl']);
    const cache = programs('cache', binaryNames);

    const found = findBinaries({ KUBEBUILDER_ASSETS: assets, PATH: `/nowhere:${onPath}` }, cache);

    expect(found).toEqual({
      etcd: join(assets, 'etcd'),
      kubectl: join(onPath, 'kubectl'),
      'kube-apiserver': join(cache, 'kube-apiserver'),
      'kube-controller-manager': join(cache, 'kube-controller-manager'),
    });
  });

  test('is not content with a part', () => {
    expect(findBinaries({ PATH: programs('path', binaryNames.slice(1)) }, join(folder, 'cache'))).toBeUndefined();
  });

  test('does not take a folder or a file that cannot be executed for a program', () => {
    const path = programs('path', binaryNames.slice(1));
    mkdirSync(join(path, 'etcd'));
    expect(findBinaries({ PATH: path }, join(folder, 'cache'))).toBeUndefined();
    rmSync(join(path, 'etcd'), { recursive: true });
    writeFileSync(join(path, 'etcd'), '', { mode: 0o644 });
    expect(findBinaries({ PATH: path }, join(folder, 'cache'))).toBeUndefined();
  });
});

describe('building', () => {
  /** An environment whose `go` says it has this version, counts its builds in a file and makes `made` of them. */
  function withGo({
    version = '1.26.0',
    toolchain = 'auto',
    made = ['server', ...binaryNames.slice(1)],
    exit = 0,
  } = {}) {
    const bin = programs('go', ['go']);
    const script = `#!/bin/sh
PATH=/usr/bin:/bin
case "$1 $2" in
  "env GOVERSION") echo go${version} ;;
  "env GOTOOLCHAIN") echo ${toolchain} ;;
  *)
    echo built >> ${folder}/builds
    while [ "$1" != -o ]; do shift; done
    for name in ${made.join(' ')}; do : > "$2/$name"; chmod +x "$2/$name"; done
    exit ${exit} ;;
esac`;
    writeFileSync(join(bin, 'go'), script);
    return { PATH: bin, HOME: folder, XDG_CACHE_HOME: join(folder, 'xdg') };
  }
  const builds = (): number => readFileSync(join(folder, 'builds'), 'utf8').split('\n').length - 1;

  test('fills the cache once, also when several ask at the same time', async () => {
    const env = withGo();
    const found = await Promise.all([findOrBuildBinaries(env), findOrBuildBinaries(env), findOrBuildBinaries(env)]);
    expect(found[0]).toEqual(Object.fromEntries(binaryNames.map((name) => [name, join(cacheFolder(env), name)])));
    expect(found[1]).toEqual(found[0]);
    expect(builds()).toBe(1);
  });

  test('fails in one sentence that names the log, and leaves nothing half-made', async () => {
    const env = withGo({ exit: 2 });
    await expect(findOrBuildBinaries(env)).rejects.toThrow(
      /^Building the Kubernetes test binaries failed \(exit code 2\); see \S+build\.log\.$/,
    );
    expect(findBinaries(env, cacheFolder(env))).toBeUndefined();
    await expect(findOrBuildBinaries(withGo())).resolves.toHaveProperty('etcd');
  });

  test.each([
    [{ version: '1.19.8' }, /^Go 1\.19\.8 is too old: install Go 1\.26\.0 or newer to build/],
    [
      { version: '1.25.1', toolchain: 'local' },
      /^Go 1\.25\.1 is older than 1\.26\.0 and may not fetch it: set GOTOOLCHAIN/,
    ],
  ])('says which Go is needed if there is %j', async (go, sentence) => {
    await expect(findOrBuildBinaries(withGo(go))).rejects.toThrow(sentence);
  });

  test('lets an older Go fetch the one it needs', async () => {
    await expect(findOrBuildBinaries(withGo({ version: '1.24.0' }))).resolves.toHaveProperty('etcd');
  });

  test('says so if there is no Go', async () => {
    const env = { PATH: folder, XDG_CACHE_HOME: folder };
    await expect(findOrBuildBinaries(env)).rejects.toThrow(/^Go is missing: install Go 1\.26\.0 or newer to build/);
  });
});
