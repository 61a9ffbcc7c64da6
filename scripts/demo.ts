// `make demo`: the main job from end to end on real parts, for someone who has never seen the project.
import { join } from 'node:path';
import { findOrBuildBinaries } from '../test/control-plane/binaries.ts';
import { failedLogs, startStack, type Stack } from '../test/stack/stack.ts';
import { createScreen, type Screen } from './demo/screen.ts';
import { fillSamples, preview, undo } from './demo/samples.ts';
import { farewell } from './demo/farewell.ts';
import { showStory } from './demo/story.ts';
import { snapSeconds } from './demo/undo.ts';
import { runMain, SetupError } from './long-step.mjs';

const context = process.env['CONTEXT'] || undefined;
const keep = !['', '0', 'false'].includes(process.env['KEEP'] ?? '');
const logs = join(import.meta.dirname, '../.lakebranch/demo-logs');

const partWords: Readonly<Record<string, string>> = {
  'control plane': context === undefined ? 'etcd, kube-apiserver, kube-controller-manager' : `your cluster, ${context}`,
  'CRDs and RBAC': 'kubectl apply -f deploy/crds.yaml, and the rights in deploy/install.yaml',
  emulator: 'the local Lakebase, with real PostgreSQL behind it',
  operator: 'lakebranch, with these rights and no others',
};

/** Further lines are for the logs. */
const messageOf = (error: unknown): string => {
  const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replace(/\.?$/, '.');
};

await runMain(async () => {
  // Before the clock starts: it may take minutes the first time, and shows its own progress.
  if (context === undefined) await findOrBuildBinaries();
  const screen = createScreen(process.stdout);
  process.stdout.write(
    'lakebranch: a preview gets its own copy of production; and production gets back what somebody deleted.\n',
  );
  const interrupted = interruption();
  const starting = start(screen);
  const stack = await Promise.race([starting, interrupted]).catch(async (error: unknown) => {
    await starting.then((half) => half.stop()).catch(() => undefined);
    throw error;
  });
  try {
    await Promise.race([showStory(screen, stack, await fillSamples(stack), { keep }), interrupted]);
    if (keep) return await farewell(screen, stack, context);
    await stack.stop();
    process.stdout.write(`\nDone in ${screen.seconds().toFixed(0)} s. Nothing is left running.\n`);
  } catch (error) {
    await stack.saveLogs(logs).catch(() => undefined);
    await stack.stop();
    if (error instanceof SetupError) throw error;
    throw new SetupError(`The demo failed: ${messageOf(error)} The logs are in ${logs}.`);
  }
});

async function start(screen: Screen): Promise<Stack> {
  screen.chapter('Start');
  try {
    return await startStack({
      ...(context === undefined ? {} : { context }),
      namespaces: [preview.namespace, undo.namespace],
      emulatorArgs: [`--source-time-snap=${snapSeconds}s`],
      onPart: (part) => screen.say(`${part.padEnd(16)}${screen.seconds().toFixed(1)} s   ${partWords[part] ?? ''}`),
    });
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(`The demo could not start: ${messageOf(error)} The logs are in ${failedLogs}.`);
  }
}

/** Rejects at Ctrl-C, which ends the demo like an error does, so that everything is tidied up. */
function interruption(): Promise<never> {
  const interrupted = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new SetupError('The demo was interrupted; it has tidied up.')));
  });
  interrupted.catch(() => undefined);
  return interrupted;
}
