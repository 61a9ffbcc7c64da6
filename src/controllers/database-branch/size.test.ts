import { expect, test } from 'vitest';
import { anEndpoint } from '../../../test/builders/world.ts';
import type { EndpointSize } from '../../lakebase/client.ts';
import { sizeChange } from './size.ts';

const endpoint = anEndpoint({ minCU: 1, maxCU: 4, suspendAfterSeconds: 300 });

test.each<[string, EndpointSize, EndpointSize | undefined]>([
  ['no wish changes nothing', {}, undefined],
  ['what is as wished stays', { minCU: 1, maxCU: 4, suspendAfterSeconds: 300 }, undefined],
  ['another minimum', { minCU: 2, maxCU: 4 }, { minCU: 2 }],
  ['another maximum', { minCU: 1, maxCU: 8 }, { maxCU: 8 }],
  ['another time until it sleeps', { suspendAfterSeconds: 60 }, { suspendAfterSeconds: 60 }],
  ['all at once', { minCU: 2, maxCU: 8, suspendAfterSeconds: 0 }, { minCU: 2, maxCU: 8, suspendAfterSeconds: 0 }],
])('%s', (_sentence, wanted, expected) => expect(sizeChange(endpoint, wanted)).toEqual(expected));
