// Runs each line of standard input as SQL, on a new session and on the one that the first line opened.
import { createInterface } from 'node:readline';

/** `query` runs a statement on a session of `open` and resolves with the first value of the first row. */
export async function runStatements({ open, query, discard }) {
  let held;
  console.log('ready');
  for await (const statement of createInterface({ input: process.stdin })) {
    held ??= await open();
    console.log(`new: ${await onNewSession(statement)}, held: ${await query(held, statement)}`);
  }
  process.exit();

  async function onNewSession(statement) {
    try {
      const session = await open();
      const value = await query(session, statement);
      await discard?.(session);
      return value;
    } catch (error) {
      return `refused (${error.message})`;
    }
  }
}

export const firstValue = (rows) => Object.values(rows[0] ?? {})[0];
