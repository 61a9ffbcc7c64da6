import { describe, expect, test } from 'vitest';
import { hours, minutes, now } from '../builders/world.ts';
import { carriesTag, isGone, isStranger, objections, seenThere } from './laws.ts';
import type { Pass } from './pass.ts';
import { whenever, type Of } from './whenever.ts';

describe('a credential', () => {
  test('is handed out anew only when every clause of the proof holds for exactly that branch, endpoint, host and user', () => {
    whenever('issue', 'living', ({ world, plan }) => {
      if (!isRenewal(plan)) expect(objections({ world, plan })).toEqual([]);
    });
  });

  test('is renewed only for what the Secret was proved to lead to, while nothing seen speaks against it', () => {
    whenever('issue', ['living', 'any'], ({ world: { secret, served, username, family }, plan }) => {
      if (!isRenewal(plan)) return;
      expect(secret.is === 'ours' && secret.secret.binding).toEqual(plan.binding);
      expect(served).toMatchObject({ id: plan.binding.branchId, uid: plan.binding.branchUid });
      expect([undefined, plan.binding.username]).toContain(username);
      // One answer that says "gone" is not believed before a LIST agrees.
      if (served?.branch.seen === 'absent') expect(family.seen).not.toBe('present');
      if (served?.branch.seen !== 'present') return;
      expect(served.branch.value.uid).toBe(plan.binding.branchUid);
      expect(isGone(served.branch.value)).toBe(false);
    });
  });

  test('is never handed out while the object has ended, is parked or unclaimed, nor under a name that is taken; while it goes, only renewed', () => {
    whenever('issue', ['living', 'leaving', 'any'], ({ world, plan }) => {
      expect(world).toMatchObject({ claimed: true, ended: undefined });
      if (world.deleting) expect([isRenewal(plan), plan.replaces === undefined]).toEqual([true, false]);
      expect(world.paused).not.toBe('all');
      expect(['none', 'ours', 'damaged']).toContain(world.secret.is);
      if (world.secret.is === 'none') expect(world.secretNameTakenBy).toBeUndefined();
      expect(plan.replaces === undefined).toBe(world.secret.is === 'none');
    });
  });
});

const isRenewal = ({ why }: Of<'issue'>): boolean => why === 'RenewalDue' || why === 'RotationRequested';

describe('a branch', () => {
  test('is deleted or given an end only with the object’s own tag, and never as default, protected or root', () => {
    whenever(['deleteBranch', 'setExpiry'], ['living', 'leaving', 'ended'], ({ world, plan: { branch } }) => {
      expect(carriesTag(branch), `tag of ${branch.id}`).toBe(true);
      expect(branch).toMatchObject({ isDefault: false, isProtected: false });
      expect(branch.sourceBranch).toBeDefined();
      expect(seenThere(world)).toContainEqual(branch);
    });
  });

  test('that is served or wanted is not deleted while its object lives, but for Replace', () => {
    whenever('deleteBranch', 'living', ({ world: { wanted, served, wish }, plan: { branch } }) => {
      expect(branch.id).not.toBe(wanted?.id);
      if (wish?.strategy !== 'Replace') expect(branch.id).not.toBe(served?.id);
    });
  });

  test('that is retained outlives the object that is deleted', () => {
    whenever('deleteBranch', 'leaving', ({ world: { wish, served, ended }, plan: { branch } }) => {
      if (wish?.life === 'retained' && !ended) expect(branch.uid).not.toBe(served?.uid);
    });
  });

  test('is never leased beyond ten minutes after the end of its object, nor for longer than a lease', () => {
    whenever(['setExpiry', 'createBranch'], 'living', ({ world: { wish, paused }, plan }) => {
      if (plan.do === 'setExpiry' && plan.why === 'drain') return;
      const end = wish?.expiration.expireTime?.getTime() ?? Infinity;
      const leased = plan.do === 'createBranch' || (wish?.life === 'leased' && paused !== 'all');
      if (plan.expiry.at) expect(plan.expiry.at.getTime()).toBeLessThanOrEqual(end + minutes(10));
      if (leased) expect(plan.expiry.at?.getTime()).toBeLessThanOrEqual(now.getTime() + (wish?.leaseMs ?? 0));
    });
  });
});

describe('a create', () => {
  test('is never sent for an id that the provider remembers as deleted, or may remember', () => {
    whenever('createBranch', 'living', ({ world: { rememberedAsDeleted } }) =>
      expect(rememberedAsDeleted).toEqual({ seen: 'present', value: false }),
    );
  });

  test('is never sent while the object goes, has ended, is paused or unclaimed, while its namespace goes, or with a problem', () => {
    whenever('createBranch', ['living', 'any'], ({ world }) => {
      expect(world).toMatchObject({ deleting: false, ended: undefined, claimed: true, paused: 'no' });
      expect(world).toMatchObject({ namespaceTerminating: false, problems: [], secretNameTakenBy: undefined });
      expect(['none', 'ours', 'damaged']).toContain(world.secret.is);
    });
  });

  test('is only sent for the wanted id, where a look of this pass found nothing and there is a slot, and never without an end', () => {
    whenever('createBranch', ['living', 'any'], ({ world: { wanted, place }, plan: { wish, expiry } }) => {
      expect(wanted).toMatchObject({ id: wish.branchId, branch: { seen: 'absent' } });
      expect(place).toMatchObject({ seen: 'present', value: { verdict: { go: true } } });
      expect(expiry.at?.getTime()).toBeGreaterThan(now.getTime());
    });
  });
});

describe('an object', () => {
  test('is not let go while a branch with its tag is seen, unless a person says so, it is retained, or a lease removes it', () => {
    whenever('release', 'leaving', ({ world, plan }) => {
      if (world.releaseAsked) return;
      if (plan.left?.how === 'LeftToLease') return leftToLease(world);
      if (plan.left?.how === 'Retained') return retained(world);
      expect(seenThere(world).filter((branch) => !isStranger(world, branch))).toEqual([]);
      if (world.wish) expect(['present', 'absent']).toContain(world.family.seen);
      else expect(onRecord(world)).toEqual([]);
      // Somebody's POST may be on its way for a minute, if nobody has ever seen the branch.
      if (world.wanted?.uid === undefined) expect(world.memory.leadingMs).toBeGreaterThanOrEqual(60_000);
      expect(world.memory.postedMsAgo ?? Infinity).toBeGreaterThanOrEqual(60_000);
    });
  });

  test('is ended only when its time is over by clocks that agree, or when what it served was seen to be gone', () => {
    whenever('markEnded', 'living', ({ world, plan }) => {
      const { wish, served, wanted, clockSkewMs } = world;
      const gone = [served, wanted].some(
        (view) => view?.branch.seen === 'absent' || (view?.branch.seen === 'present' && isGone(view.branch.value)),
      );
      if (plan.reason !== 'Expired') {
        // What was never served is ended only when the provider says that it was there and is gone.
        const wasThere = wanted?.branch.seen === 'present' || isRemembered(world);
        if (served?.branch.seen === 'absent') expect(world.family.seen).toBe('present');
        return expect(gone && (served === wanted || (served === undefined && wasThere))).toBe(true);
      }
      expect(wish?.expiration.expireTime?.getTime()).toBeLessThanOrEqual(now.getTime());
      const agree = clockSkewMs !== undefined && Math.abs(clockSkewMs) <= minutes(2);
      expect(agree || (gone && served !== undefined)).toBe(true);
    });
  });

  test('has no Secret taken away but its own, and only for an end, a loss, a backup or Replace', () => {
    whenever('deleteSecret', ['living', 'ended', 'any'], ({ world, plan }) => {
      const { secret, ended, served, wish } = world;
      expect(['ours', 'damaged', 'restored']).toContain(secret.is);
      expect(plan.secret.uid).toBe('s-1');
      const { branch } = served ?? {};
      const swapped = branch?.seen === 'present' && branch.value.uid !== served?.uid;
      const lost = branch?.seen === 'absent' || (branch?.seen === 'present' && isGone(branch.value));
      expect(ended !== undefined || secret.is === 'restored' || lost || swapped || wish?.strategy === 'Replace').toBe(
        true,
      );
    });
  });
});

describe('a pass', () => {
  const steps = ['wait', 'idle', 'createBranch', 'issue', 'deleteBranch', 'setExpiry', 'release', 'record'] as const;

  test('asks each question once, with a class to ask with, and so ends', () => {
    whenever(steps, ['living', 'leaving', 'ended', 'any'], ({ breach, looks }) => {
      expect(breach).toBeUndefined();
      expect(looks.length).toBeLessThanOrEqual(16);
    });
  });

  test('that waits names a time ahead for the next one, or none', () => {
    whenever(['wait', 'idle'], ['living', 'leaving', 'ended', 'any'], ({ plan }) =>
      expect(plan.lookInMs ?? 1).toBeGreaterThan(0),
    );
  });

  test('that waits says why, in words', () => {
    whenever('wait', ['living', 'leaving', 'ended', 'any'], ({ plan }) => expect(plan.message).toMatch(/^\S.*\S$/s));
  });
});

const isRemembered = ({ rememberedAsDeleted: { seen, ...asked } }: Pass['world']): boolean =>
  seen === 'present' && 'value' in asked && asked.value;

/** The preconditions of letting a branch go without having seen its end. */
function leftToLease({ object, memory, maxWaitMs }: Pass['world']): void {
  const { leaseTime, enforcedBy } = object.status?.expiration ?? {};
  expect(object.spec.deletionPolicy).toBe('Delete');
  expect(enforcedBy).toBe('Provider');
  expect(new Date(leaseTime ?? '').getTime() - now.getTime()).toBeLessThanOrEqual(hours(96) + minutes(1));
  expect(memory.deletionFailures).toBeGreaterThanOrEqual(3);
  const since = new Date(object.metadata.deletionTimestamp ?? now).getTime();
  expect(now.getTime() - since).toBeGreaterThanOrEqual(maxWaitMs);
}

/** What stays is what was served, alone, and the provider knows its full life. */
function retained(world: Pass['world']): void {
  const { served, wish, memory } = world;
  const end = wish?.expiration.expireTime?.getTime() ?? Infinity;
  expect(wish?.life).toBe('retained');
  const left = seenThere(world).filter((branch) => !isStranger(world, branch));
  for (const { uid, isProtected, isDefault, expireTime } of left) {
    expect(uid).toBe(served?.uid);
    const full = Math.min(end + minutes(10), now.getTime() + (memory.ceilingMs ?? Infinity));
    if (end < Infinity && !isProtected && !isDefault)
      expect(expireTime?.getTime()).toBeGreaterThanOrEqual(full - minutes(1));
  }
}

const onRecord = ({ object: { status }, served }: Pass['world']): unknown[] =>
  [served, status?.branch, status?.candidate, ...(status?.superseded ?? [])].filter((known) => known !== undefined);
