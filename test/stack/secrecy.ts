// Looks through everything that a run leaves behind for what must not be in it: logs, Events, statuses, metrics.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseBranchResource } from '../../src/api/names.ts';
import type { World } from './world.ts';

export interface Text {
  readonly where: string;
  readonly text: string;
}

export interface Hidden {
  readonly what: string;
  readonly value: string;
}

/** Every token that was ever in a Secret, and the client secrets. */
export function secretsOf({ recorder, stack }: World): Hidden[] {
  const tokens = recorder.secrets.flatMap(({ object }) => {
    const value = Buffer.from(object.data?.['password'] ?? '', 'base64').toString();
    return value === '' ? [] : [{ what: `a token of Secret ${object.metadata.name}`, value }];
  });
  return [
    ...tokens,
    { what: 'the client secret of the manager', value: stack.manager.clientSecret },
    { what: 'the client secret of the login', value: stack.login.clientSecret },
  ];
}

export async function textsOf({ recorder, stack }: World): Promise<Text[]> {
  const json = (where: string, value: unknown): Text => ({ where, text: JSON.stringify(value) });
  const { emulator, operator, dir } = stack;
  const describe = ['describe', databaseBranchResource.plural, '--all-namespaces'];
  return [
    ...(await logsBelow(dir)),
    { where: 'metrics', text: await operator.metrics() },
    { where: 'kubectl describe', text: await stack.kubectl(...describe) },
    json('the journal', await emulator.journal()),
    json('the branches', await emulator.branches()),
    ...recorder.events.map(({ object }) => json('an Event', object)),
    ...recorder.objects.map(({ object }) => json('an object', object)),
    ...recorder.classes.map(({ object }) => json('a class', object)),
    ...recorder.secrets.map(({ object }) => json('metadata of a Secret', object.metadata)),
  ];
}

/** Those of the operator, the emulator, and each PostgreSQL instance. */
async function logsBelow(dir: string): Promise<Text[]> {
  const files = (await readdir(dir, { recursive: true })).filter((name) => name.endsWith('.log'));
  return Promise.all(
    files.map(async (name) => ({ where: name, text: await readFile(join(dir, name), 'utf8').catch(() => '') })),
  );
}

/** JSON Web Tokens begin like this, and so does nothing else; every token of the emulator and of Kubernetes is one. */
const anyToken = /eyJ[A-Za-z0-9_-]{10,}/;

/** Where something hidden shows, plain, in base64, or escaped as in a URL; also tokens that nobody told us of. */
export function findSecrets(texts: readonly Text[], hidden: readonly Hidden[]): string[] {
  const looks = hidden.flatMap(({ what, value }) =>
    [...new Set([value, ...base64Middles(value), encodeURIComponent(value)])].map((needle) => ({ what, needle })),
  );
  return texts.flatMap(({ where, text }) => [
    ...looks.filter(({ needle }) => text.includes(needle)).map(({ what }) => `${where} shows ${what}`),
    ...(anyToken.test(text) ? [`${where} shows a JSON Web Token`] : []),
  ]);
}

/** What base64 makes of the value wherever it begins in a longer text, without the ends that depend on what is around it. */
function base64Middles(value: string): string[] {
  return ['', '.', '..'].map((before) => {
    const encoded = Buffer.from(before + value)
      .toString('base64')
      .replaceAll('=', '');
    return encoded.slice(before === '' ? 0 : 4, -3);
  });
}
