import { everyRightIsNeeded, manifestsOf } from './every-right.ts';

const values = { scope: 'cluster' };
everyRightIsNeeded({ values, namespace: 'team' }, await manifestsOf(values));
