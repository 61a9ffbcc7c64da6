import { expect, test } from 'vitest';
import { tableCells } from './table.ts';

test('rows of kubectl are taken apart, empty cells included', () => {
  const text = [
    'NAME       READY   STATUS           SOURCE       EXPIRES                    AGE',
    'database   False   BranchCreating                2026-11-26T04:54:23.000Z   0s',
    'other      True    Available        production   2026-11-26T04:54:23.000Z   12s',
  ].join('\n');
  expect(tableCells(text)).toEqual([
    ['NAME', 'READY', 'STATUS', 'SOURCE', 'EXPIRES', 'AGE'],
    ['database', 'False', 'BranchCreating', '', '2026-11-26T04:54:23.000Z', '0s'],
    ['other', 'True', 'Available', 'production', '2026-11-26T04:54:23.000Z', '12s'],
  ]);
});

test('no table, no rows', () => expect(tableCells('')).toEqual([]));
