import { operatorNamespace } from '../stack/operator.ts';
import { everyRightIsNeeded, manifestsOf } from './every-right.ts';

const values = { scope: 'namespace' };
everyRightIsNeeded({ values, namespace: operatorNamespace }, await manifestsOf(values));
