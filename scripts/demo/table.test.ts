import { expect, test } from 'vitest';
import { tableParser } from './table.ts';

test('rows of kubectl are taken apart although columns widen and cells are empty', () => {
  const parse = tableParser();
  const lines = [
    'NAME       READY   STATUS     SOURCE   EXPIRES                    AGE',
    'database   False   Claiming            2026-11-26T04:54:23.000Z   0s',
    'database   False   BranchCreating            2026-11-26T04:54:23.000Z   0s',
    'database   False   RolePending               2026-11-26T04:54:23.000Z   0s',
    'database   True    Available        production   2026-11-26T04:54:23.000Z   1s',
  ];
  expect(lines.map(parse)).toEqual([
    ['NAME', 'READY', 'STATUS', 'SOURCE', 'EXPIRES', 'AGE'],
    ['database', 'False', 'Claiming', '', '2026-11-26T04:54:23.000Z', '0s'],
    ['database', 'False', 'BranchCreating', '', '2026-11-26T04:54:23.000Z', '0s'],
    ['database', 'False', 'RolePending', '', '2026-11-26T04:54:23.000Z', '0s'],
    ['database', 'True', 'Available', 'production', '2026-11-26T04:54:23.000Z', '1s'],
  ]);
});
