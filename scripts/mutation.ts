// `make mutation`: does any test notice when the deciding code is slightly wrong? Every small slip is planted in turn,
// and one that no test notices ends the run with an error, unless test/mutation/survivors.json says why nobody could
// see it. ONLY=<part of a path> takes some files, SHARD=2/4 the second of four parts, UNIT=1 leaves out the stories of
// test/scenarios, which makes it quick and names too many. The tree is never written to.
import { acceptedFile, readAccepted } from '../test/mutation/accepted.ts';
import { Judge } from '../test/mutation/judge.ts';
import { tableOf, troubleOf, troubleText } from '../test/mutation/result.ts';
import { isStory, targets, type Target } from '../test/mutation/targets.ts';
import { runMain, SetupError } from './long-step.mjs';

await runMain(async () => {
  const chosen = chooseTargets(process.env['ONLY'] ?? '', process.env['UNIT'] === '1');
  const [shard, shards] = readShard(process.env['SHARD'] ?? '');
  const judge = new Judge();
  // After a Ctrl-C: the workers do not hear of that one.
  process.on('exit', () => judge.close());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  try {
    await judge.measure(chosen);
    const all = chosen.flatMap((target) => judge.candidatesOf(target));
    const judged = await judge.judge(all.filter((_, index) => index % shards === shard - 1));
    console.log(`\n${tableOf(judged)}\n`);
    const trouble = troubleText(troubleOf(all, judged, readAccepted()), acceptedFile);
    console.log(trouble || 'Every survivor is accepted with a reason.');
    process.exitCode = trouble === '' ? 0 : 1;
  } finally {
    judge.close();
  }
});

function chooseTargets(only: string, unit: boolean): readonly Target[] {
  const chosen = targets.filter(({ file }) => file.includes(only));
  const withoutStories = ({ file, tests }: Target): Target => ({ file, tests: tests.filter((test) => !isStory(test)) });
  if (chosen.length > 0) return unit ? chosen.map(withoutStories) : chosen;
  const files = targets.map(({ file }) => file).join('\n  ');
  throw new SetupError(`ONLY=${only} is part of none of the mutated files. They are:\n  ${files}`);
}

/** '' is all. */
function readShard(text: string): readonly [number, number] {
  if (text === '') return [1, 1];
  const [, shard, shards] = /^(\d+)\/(\d+)$/.exec(text)?.map(Number) ?? [];
  if (!shard || !shards || shard > shards)
    throw new SetupError(`SHARD=${text} is no part of a whole. Write SHARD=2/4.`);
  return [shard, shards];
}
