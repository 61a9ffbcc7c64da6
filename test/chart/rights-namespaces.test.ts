import { everyRightIsNeeded, manifestsOf } from './every-right.ts';

const values = { scope: 'namespaces', namespaces: ['team'], existingSecret: ['manager', 'login', 'ca'] };
everyRightIsNeeded({ values, namespace: 'team' }, await manifestsOf(values));
