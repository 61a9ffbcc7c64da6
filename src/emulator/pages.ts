// Lists in pages. A page token names the last item shown, by its place in the order of creation, so that nothing is
// shown twice or left out when items come and go between two pages.
import { Refusal } from './errors.ts';
import type { Answer, Call } from './call.ts';
import type { Json } from './masks.ts';

interface Item {
  readonly sequence: number;
}

/** `{<plural>: [...], next_page_token?}`; at most `pageSize` items of the behaviour, or fewer where asked. */
export function page<T extends Item>(call: Call, plural: string, items: readonly T[], view: (item: T) => Json): Answer {
  const size = pageSize(call);
  const after = lastShown(call);
  const rest = inOrder(items.filter(({ sequence }) => sequence > after));
  const shown = rest.slice(0, size);
  const last = shown.at(-1);
  const more = rest.length > shown.length && last !== undefined;
  return {
    status: 200,
    body: { [plural]: shown.map(view), ...(more ? { next_page_token: pageToken(last.sequence) } : {}) },
  };
}

/** Nearly always they are already. */
function inOrder<T extends Item>(items: T[]): T[] {
  const sorted = items.every((item, index) => index === 0 || (items[index - 1]?.sequence ?? 0) < item.sequence);
  return sorted ? items : items.sort((a, b) => a.sequence - b.sequence);
}

function pageSize(call: Call): number {
  const most = call.workspace.faults.behaviour.pageSize;
  const asked = call.query.get('page_size') ?? '';
  if (asked === '') return most;
  if (!/^\d+$/.test(asked)) throw new Refusal('invalidField', { field: 'page_size', problem: 'must not be negative' });
  const size = Number(asked);
  return size === 0 ? most : Math.min(size, most);
}

const pageToken = (sequence: number): string => Buffer.from(`after:${sequence}`).toString('base64url');

function lastShown(call: Call): number {
  const token = call.query.get('page_token') ?? '';
  if (token === '') return -1;
  const match = /^after:(\d+)$/.exec(Buffer.from(token, 'base64url').toString('utf8'));
  if (!match) throw new Refusal('invalidField', { field: 'page_token', problem: 'is not one of ours' });
  return Number(match[1]);
}
