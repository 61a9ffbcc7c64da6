// Every field of every kind, filled in every way that people get wrong: the API server must name the field and say what to
// write. The fields come from the schema, so that a new one is tried as well.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changed } from '../builders/merge.ts';
import { sharedControlPlane } from '../control-plane/shared.ts';
import { badInput, badSpec, fieldOfRule, unknownFields, type BadSpec } from '../fixtures/bad-values.ts';
import { minimal as minimalClass } from '../fixtures/branch-class-cases.ts';
import type { Spec } from '../fixtures/manifest-cases.ts';
import { minimal as minimalRestore } from '../fixtures/point-in-time-restore-cases.ts';
import { installCrds } from './install-crds.ts';
import { RawApi } from './raw-api.ts';
import { complaintsOf, dryRunCreate, kindNamed, namespace } from './tried-manifests.ts';

const api = new RawApi(sharedControlPlane());

beforeAll(async () => {
  await installCrds(api);
  await api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
});
let wrongValues = 0;
afterAll(() => {
  process.stdout.write(`bad input: ${wrongValues} wrong values\n`);
  return api.close();
});

/** Rules are looked at only where nothing required is missing. */
const bases: readonly (readonly [name: string, base: Spec])[] = [
  ['DatabaseBranch', {}],
  ['BranchClass', { ...minimalClass, restore: { allowed: true } }],
  ['PointInTimeRestore', minimalRestore],
];

describe.each(bases)('%s', (name, base) => {
  const kind = kindNamed(name);
  const schema = kind.schema.properties!['spec']!;
  const onTop = ({ spec }: BadSpec): Spec => changed<Spec>(base, spec as Spec);

  const cases = badInput
    .map(([what, wrong, words]) => ({ what, words, bad: badSpec(schema, wrong) }))
    .filter(({ bad }) => bad.fields.length > 0)
    .map((one) => ({ ...one, count: one.bad.fields.length }));

  test.each(cases)('refuses $what, in $count fields', async ({ words, bad }) => {
    wrongValues += bad.fields.length;
    const complaints = complaintsOf(await dryRunCreate(api, kind, onTop(bad)));
    const isRefused = (field: string): boolean =>
      complaints.some(
        (complaint) =>
          [field, fieldOfRule(field)].includes(complaint.field) &&
          (typeof words === 'string' ? complaint.message.includes(words) : words.test(complaint.message)),
      );
    expect(
      bad.fields.filter((field) => !isRefused(field)),
      JSON.stringify(complaints, null, 1),
    ).toEqual([]);
  });

  test('refuses an unknown field in every part', async () => {
    const bad = unknownFields(schema);
    const { code, body } = await dryRunCreate(api, kind, onTop(bad));
    expect(code).toBe(400);
    expect(bad.fields.length).toBeGreaterThan(5);
    expect(
      bad.fields.filter((field) => !body.message?.includes(`unknown field "${field}"`)),
      body.message,
    ).toEqual([]);
  });
});
