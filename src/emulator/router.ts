// Which route a request means.
import type { Route } from './routes/route.ts';

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

interface Compiled {
  readonly route: Route;
  readonly segments: readonly string[];
}

export type Router = (method: string, path: string) => Match | undefined;

/** Routes are told apart by method and number of segments first, so that the search stays short. */
export function routerOf(routes: readonly Route[]): Router {
  const byShape = new Map<string, Compiled[]>();
  for (const route of routes) {
    const segments = segmentsOf(route.path);
    const shape = shapeOf(route.method, segments);
    byShape.set(shape, [...(byShape.get(shape) ?? []), { route, segments }]);
  }
  return (method, path) => {
    const segments = segmentsOf(path);
    for (const { route, segments: pattern } of byShape.get(shapeOf(method, segments)) ?? []) {
      const params = paramsOf(pattern, segments);
      if (params) return { route, params };
    }
    return undefined;
  };
}

const segmentsOf = (path: string): string[] => path.split('/').slice(1);
const shapeOf = (method: string, segments: readonly string[]): string => `${method} ${segments.length}`;

function paramsOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const actual = segments[index] ?? '';
    if (expected.startsWith('{')) params[expected.slice(1, -1)] = actual;
    else if (expected !== actual) return undefined;
  }
  return params;
}
