// What takes hours and days: operator, API server and provider in this process, on a clock that only the row moves. These
// figures do not depend on the machine.
import { secretResource, annotationKey } from '../../src/api/names.ts';
import { lifeLeft } from '../../src/credentials/plan.ts';
import type { KubeObject } from '../../src/kit/kube.ts';
import { Scenario } from '../scenario.ts';
import { atLeast, atMost, sum, type Figure } from './figures.ts';
import type { Say } from './say.ts';

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** With the root they are the ten that a project may have. */
const objects = 9;
const names = Array.from({ length: objects }, (_, index) => `db-${index}`);

/** Nobody logs in, and the branches outlive what is measured. */
async function begin(): Promise<Scenario> {
  const world = new Scenario({ behaviour: { initMs: 900, deleteMs: 700 } });
  world.launch();
  for (const name of names) world.apply(name, { verify: { login: 'Never' }, expiration: { ttl: '336h' } });
  await world.settle(15 * minuteMs);
  const waiting = names.filter((name) => world.ready(name) !== 'True');
  if (waiting.length > 0) throw new Error(`not Ready: ${waiting.join(', ')}\n${world.describe()}`);
  return world;
}

const steadyHours = 36;

/** Three leases, and 72 tokens of each object. */
export async function steady(say: Say): Promise<Figure[]> {
  const world = await begin();
  const before = world.emulator.admin.requests();
  for (let hour = 1; hour <= steadyHours; hour++) {
    await world.settle(hourMs);
    if (hour % 12 === 0) say(`${hour} of ${steadyHours} hours`);
  }
  const asked = Object.entries(world.emulator.admin.requests())
    .map(([route, count]) => [route, (count - (before[route] ?? 0)) / (objects * steadyHours)] as const)
    .filter(([route, rate]) => rate > 0 && !route.includes('/oidc/'));
  await world.stop();
  const routes = asked.toSorted(([, a], [, b]) => b - a).map(([route, rate]) => `${rate.toFixed(2)} ${route}`);
  return [
    {
      row: 'steady',
      what: `${objects} branches of a project: provider requests per branch and hour`,
      unit: 'requests',
      samples: [sum(asked.map(([, rate]) => rate))],
      target: atMost(3),
      note: routes.join(', ').replaceAll('/api/2.0/postgres/', ''),
    },
  ];
}

/** How long after a Secret is changed a pod may still read the old one. */
const kubeletMs = 90 * secondMs;

interface TokenEnd {
  /** When the token in the Secret was replaced by the next one; for the last one the end of the row. */
  readonly at: Date;
  readonly issueTime: Date;
  readonly expireTime: Date;
}

/** Every token that was in a Secret after `since`, with the instant at which its life was shortest there. */
function tokenEnds(world: Scenario, since: Date): TokenEnd[] {
  const present = new Map<string, KubeObject>();
  const ends: TokenEnd[] = [];
  const note = (secret: KubeObject, at: Date): void => {
    const time = (key: keyof typeof annotationKey): Date =>
      new Date(secret.metadata.annotations?.[annotationKey[key]] ?? '');
    const [issueTime, expireTime] = [time('issueTime'), time('expireTime')];
    if (at > since && !Number.isNaN(issueTime.getTime())) ends.push({ at, issueTime, expireTime });
  };
  for (const { type, object, at } of world.kube.versions()) {
    if (type.plural !== secretResource.plural || object.metadata.namespace !== 'pr-1') continue;
    const before = present.get(object.metadata.name);
    if (before) note(before, at);
    present.set(object.metadata.name, object);
  }
  for (const secret of present.values()) note(secret, world.clock.now());
  return ends;
}

const shareAt = (end: TokenEnd, laterMs = 0): number => lifeLeft(end, new Date(end.at.getTime() + laterMs));

const killHours = 12;
const killEveryMs = 10 * minuteMs;
/** Until the Lease of a killed leader has run out. */
const leaseMs = 15 * secondMs;

export async function life(say: Say): Promise<Figure[]> {
  return [...(await leaderKilled(say)), ...(await providerDown(say))];
}

async function leaderKilled(say: Say): Promise<Figure[]> {
  const world = await begin();
  const since = world.clock.now();
  for (let kills = 0; kills < (killHours * hourMs) / killEveryMs; kills++) {
    world.processes.at(-1)?.kill();
    await world.settle(leaseMs);
    world.launch();
    await world.settle(killEveryMs - leaseMs);
  }
  const ends = tokenEnds(world, since);
  await world.stop();
  say(`${killHours} hours, leader killed every 10 minutes: ${ends.length} tokens`);
  const note = `${ends.length} tokens of ${objects} objects in ${killHours} hours`;
  return [
    share(
      'leader killed every 10 min: least share of life left',
      ends.map((end) => shareAt(end)),
      1 / 3,
      note,
    ),
    share(
      'the same in a file of a pod, 90 s later',
      ends.map((end) => shareAt(end, kubeletMs)),
      1 / 4,
      note,
    ),
  ];
}

const outageMs = 25 * minuteMs;
const outages = 18;

/** Each begins a second before one object, each in its turn, would have got its next token. */
async function providerDown(say: Say): Promise<Figure[]> {
  const world = await begin();
  const since = world.clock.now();
  for (let outage = 0; outage < outages; outage++) {
    const name = names[outage % names.length] ?? '';
    const renewTime = new Date(world.object(name)?.status?.credentials?.renewTime ?? '');
    await world.settle(Math.max(0, renewTime.getTime() - secondMs - world.clock.now().getTime()));
    const mend = world.emulator.faults.inject({ trouble: { kind: 'answer', status: 503 } });
    await world.settle(outageMs);
    mend();
    await world.settle(hourMs);
  }
  const ends = tokenEnds(world, since);
  await world.stop();
  say(`${outages} outages of 25 minutes: ${ends.length} tokens`);
  const secondsLeft = ends.map(({ at, expireTime }) => (expireTime.getTime() - at.getTime()) / secondMs);
  const dead = secondsLeft.filter((seconds) => seconds <= 0).length;
  const note = `${outages} outages, ${ends.length} tokens`;
  return [
    {
      row: 'life',
      what: 'outages of 25 min: dead tokens in Secrets',
      unit: 'tokens',
      samples: [dead],
      target: atMost(0),
      note,
    },
    {
      row: 'life',
      what: 'outages of 25 min: least life left of a token',
      unit: 's',
      samples: [Math.min(...secondsLeft)],
      note,
    },
  ];
}

const share = (what: string, shares: readonly number[], limit: number, note: string): Figure => ({
  row: 'life',
  what,
  unit: 'of 1',
  samples: [Math.min(...shares)],
  target: atLeast(limit),
  note,
});

const awayMs = 84 * hourMs;
const leasedMs = 96 * hourMs;
/** Spread over the twelve hours between two extensions. */
const awayRounds = 4;

export async function away(say: Say): Promise<Figure[]> {
  const lost: number[] = [];
  for (let round = 0; round < awayRounds; round++) {
    lost.push(await lostWhileAway((world) => world.settle(26 * hourMs + (round * 12 * hourMs) / awayRounds)));
    say(`away for 84 hours: ${lost.at(-1)} lost`);
  }
  const worst = await lostWhileAway(untilBeforeExtension);
  say(`from the worst instant: ${worst} lost`);
  const left = await leftAfterDestruction();
  say(`cluster destroyed: ${left} left`);
  const figure = (what: string, samples: readonly number[]): Figure => ({
    row: 'away',
    what,
    unit: 'branches',
    samples,
    target: atMost(0, 'most'),
    note: `of ${objects}`,
  });
  return [
    figure('operator away for 84 h: branches lost', lost),
    figure('the same, killed a minute before an extension: branches lost', [worst]),
    figure('cluster destroyed: leased branches left after lease and sweep', [left]),
  ];
}

async function lostWhileAway(prepare: (world: Scenario) => Promise<void>): Promise<number> {
  const world = await begin();
  const made = new Set(world.branches().map(({ uid }) => uid));
  await prepare(world);
  world.processes.at(-1)?.kill();
  world.clock.advance(awayMs);
  world.launch();
  await world.settle(hourMs);
  const kept = world.branches().filter(({ uid }) => made.has(uid)).length;
  await world.stop();
  return objects - kept;
}

/** The longest wait for the first branch whose expiry is about to be pushed forward. */
async function untilBeforeExtension(world: Scenario): Promise<void> {
  await world.settle(26 * hourMs);
  const [soonest = 0] = world
    .branches()
    .map(({ expiresAt }) => (expiresAt ?? 0) - awayMs - minuteMs)
    .filter((instant) => instant > world.clock.now().getTime())
    .toSorted((a, b) => a - b);
  await world.settle(soonest - world.clock.now().getTime());
}

async function leftAfterDestruction(): Promise<number> {
  const world = await begin();
  await world.settle(26 * hourMs);
  world.processes.at(-1)?.kill();
  world.clock.advance(leasedMs + minuteMs);
  await world.settle(minuteMs);
  const left = world.branches().length;
  await world.stop();
  return left;
}
