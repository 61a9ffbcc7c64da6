// What has to be changed on an endpoint for it to have the wanted size. Pure.
import type { EndpointSize } from '../../lakebase/client.ts';
import type { Endpoint } from '../../lakebase/model.ts';

/** Undefined when nothing has to be changed. */
export function sizeChange(endpoint: Endpoint, wanted: EndpointSize): EndpointSize | undefined {
  const change: EndpointSize = {
    ...(wanted.minCU !== undefined && wanted.minCU !== endpoint.minCU ? { minCU: wanted.minCU } : {}),
    ...(wanted.maxCU !== undefined && wanted.maxCU !== endpoint.maxCU ? { maxCU: wanted.maxCU } : {}),
    ...(wanted.suspendAfterSeconds !== undefined && wanted.suspendAfterSeconds !== endpoint.suspendAfterSeconds
      ? { suspendAfterSeconds: wanted.suspendAfterSeconds }
      : {}),
  };
  return Object.keys(change).length > 0 ? change : undefined;
}
