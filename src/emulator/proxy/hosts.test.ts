import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Addresses } from './addresses.ts';
import { canonicalName, certificateNames, Names, parseHostPattern } from './names.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'lakebranch-test-'))));
afterEach(() => rm(folder, { recursive: true }));

const slots = parseHostPattern('ep-{00..02}.lakebase.svc');

test('an endpoint keeps its address, also over a restart', async () => {
  const before = await Addresses.open(folder);
  const host = await before.hostOf('ep-a');
  expect(await before.hostOf('ep-a')).toBe(host);
  expect(await (await Addresses.open(folder)).hostOf('ep-a')).toBe(host);
});

test('an address is never given to another endpoint, whoever was closed or restarted meanwhile', async () => {
  let addresses = await Addresses.open(folder);
  const hosts = new Set<string>();
  for (let at = 0; at < 50; at++) {
    hosts.add(await addresses.hostOf(`ep-${at}`));
    await addresses.release();
    if (at % 10 === 0) addresses = await Addresses.open(folder);
  }
  expect(hosts.size).toBe(50);
});

test('addresses asked for at the same time differ', async () => {
  const addresses = await Addresses.open(folder);
  const hosts = await Promise.all(Array.from({ length: 40 }, (_, at) => addresses.hostOf(`ep-${at}`)));
  expect(new Set(hosts).size).toBe(40);
  const after = await Addresses.open(folder);
  expect(await after.hostOf('ep-39')).toBe(hosts[39]);
});

test('every address lies in the network of the folder, within 127.64.0.0/10, and is not the spare one', async () => {
  const addresses = await Addresses.open(folder);
  const host = await addresses.hostOf('ep-a');
  const [first = 0, second = 0, third = 0, fourth = 0] = host.split('.').map(Number);
  expect([first, second >= 64 && second <= 127, third % 16, fourth]).toEqual([127, true, 0, 1]);
  expect(addresses.spare).toBe(`127.${second}.${third + 15}.255`);
});

test('a full network is followed by another one', async () => {
  await Addresses.open(folder);
  const path = join(folder, 'addresses.json');
  const kept = JSON.parse(await readFile(path, 'utf8')) as { networks: string[]; used: number };
  await writeFile(path, JSON.stringify({ ...kept, used: 4094 }));
  const addresses = await Addresses.open(folder);
  const host = await addresses.hostOf('ep-a');
  const { networks } = JSON.parse(await readFile(path, 'utf8')) as { networks: string[] };
  expect(networks).toHaveLength(2);
  expect(host).toBe(networks[1]!.replace(/\.0$/, '.1'));
});

test('a wildcard pattern gives every endpoint its own name', async () => {
  const names = await Names.open(folder, parseHostPattern('*.db.example.com'));
  expect(await names.hostOf('ep-a')).toBe('ep-a.db.example.com');
  await names.release('ep-a');
  expect(await names.hostOf('ep-b')).toBe('ep-b.db.example.com');
});

test('fixed names are taken in turn: an unused one first, then the one that was free the longest', async () => {
  let names = await Names.open(folder, slots);
  for (const uid of ['a', 'b']) await names.hostOf(uid);
  await names.release('a');
  names = await Names.open(folder, slots);
  expect(await names.hostOf('c')).toBe('ep-02.lakebase.svc');
  await names.release('b');
  expect(await names.hostOf('d')).toBe('ep-00.lakebase.svc');
  expect(await names.hostOf('c')).toBe('ep-02.lakebase.svc');
});

test('when all fixed names are in use, the error says what to do', async () => {
  const names = await Names.open(folder, slots);
  for (const uid of ['a', 'b', 'c']) await names.hostOf(uid);
  await expect(names.hostOf('d')).rejects.toThrow('all 3 host names are in use: delete an endpoint');
});

test.each(['db.example.com', '*', 'ep-{9..1}.svc', 'ep-{0..99999}.svc', '{a..b}.svc', 'EP*.x'])(
  '%s is no pattern of host names',
  (text) => {
    expect(() => parseHostPattern(text)).toThrow('is no pattern of host names: write *.db.example.com');
  },
);

test.each([
  ['*.db.example.com', ['*.db.example.com', 'localhost', '127.0.0.1']],
  ['ep-{0..9}.lakebase.svc', ['*.lakebase.svc', '*.lakebase.svc.cluster.local', 'localhost', '127.0.0.1']],
])('the certificate for %s covers its names', (text, expected) => {
  expect(certificateNames(parseHostPattern(text))).toEqual(expected);
});

test.each([
  ['ep-00.lakebase.svc', 'ep-00.lakebase.svc'],
  ['EP-00.Lakebase.svc.cluster.local', 'ep-00.lakebase.svc'],
  ['ep-1.db.example.com.', 'ep-1.db.example.com'],
])('a client that asks for %s means %s', (asked, meant) => {
  expect(canonicalName(asked)).toBe(meant);
});
