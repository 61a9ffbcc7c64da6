// Builds what tests need before the first of them, outside of their time limits.
import { toolBinary } from './build.ts';

export default async function setup(): Promise<void> {
  await toolBinary('helm');
}
