// The emulator's control plane without databases, as a process: `node emulator-process.ts FOLDER PORT`, settings in the
// environment. Beside the state it keeps its journal, in journal.jsonl, so that a SIGKILL does not erase what happened.
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answerAdmin } from '../../src/emulator/admin.ts';
import { openCertificateAuthority } from '../../src/emulator/certificates.ts';
import { createEmulator, type Emulator } from '../../src/emulator/emulator.ts';
import { noDataPlane } from '../../src/emulator/no-data-plane.ts';
import { startServer } from '../../src/emulator/server.ts';
import type { EmulatorSettings } from '../../src/emulator/settings.ts';
import { fileStore } from '../../src/emulator/store.ts';
import { systemClock } from '../../src/kit/clock.ts';

const [, , folder = '', port = '0'] = process.argv;
const settings = JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8')) as Partial<EmulatorSettings>;
const journalEveryMs = 20;

const emulator = createEmulator({
  clock: systemClock,
  dataPlane: noDataPlane(),
  settings,
  store: fileStore(folder),
  log: (message, fields) => void process.stderr.write(`${message} ${JSON.stringify(fields ?? {})}\n`),
});
await emulator.started;

let written = 0;
function keepJournal(): void {
  const entries = emulator.admin.log();
  const lines = entries.slice(written).map((entry) => `${JSON.stringify(entry)}\n`);
  if (lines.length > 0) appendFileSync(join(folder, 'journal.jsonl'), lines.join(''));
  written = entries.length;
}
setInterval(keepJournal, journalEveryMs);

/** Nothing is answered before the journal has it. */
const journaled: Emulator = {
  ...emulator,
  handle: (request) => emulator.handle(request).finally(keepJournal),
};

const authority = await openCertificateAuthority(folder);
await startServer(
  {
    emulator: journaled,
    caCertificate: authority.certificate,
    serverCertificate: await authority.issue(['127.0.0.1']),
    admin: (request) => answerAdmin(emulator, request),
    log: () => undefined,
  },
  { host: '127.0.0.1', httpPort: Number(port), httpsPort: 0 },
);
process.stdout.write('ready\n');
