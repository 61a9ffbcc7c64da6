// What an expression of PromQL asks for, held against the catalogue. Knows as much of the language as our own need.
import { catalogue, type MetricEntry } from '../../src/metrics/catalogue.ts';

const byName = new Map<string, MetricEntry>(Object.values(catalogue).map((entry) => [entry.name, entry]));
/** Added by whoever scrapes. */
const ofTarget = ['instance', 'job', 'namespace', 'pod'];
/** prom-client's, which the catalogue does not hold. */
const ofProcess = /^(process|nodejs)_/;

/** The names of metrics in a text, those of histograms without what is added to them. */
export function metricsIn(text: string): string[] {
  const found = text.match(
    /\b(lakebranch|controller_runtime|rest_client|leader_election|workqueue|process|nodejs)_[a-z_]+/g,
  );
  return [...new Set((found ?? []).map(baseOf))];
}

const baseOf = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');

/** Every name in the expression that there is not: of a metric, of a label, of a value that a label never has. */
export function unknownIn(expr: string): string[] {
  const entries = metricsIn(expr).flatMap((name) => byName.get(name) ?? []);
  const labels = new Set([...ofTarget, 'le', ...entries.flatMap((entry) => entry.labels)]);
  const metrics = metricsIn(expr).filter((name) => !byName.has(name) && !ofProcess.test(name));
  const grouped = [...expr.matchAll(/\b(?:by|on|group_left) ?\(([^)]*)\)/g)]
    .flatMap(([, list = '']) => list.split(',').map((label) => label.trim()))
    .filter((label) => label !== '' && !labels.has(label));
  const selected = [...expr.matchAll(/([a-z_]+)\{([^}]*)\}/g)].flatMap(([, name = '', selector = '']) =>
    wrongIn(selector, byName.get(baseOf(name))).map((wrong) => `${name}{${wrong}}`),
  );
  return [...metrics, ...grouped, ...selected];
}

function wrongIn(selector: string, entry: MetricEntry | undefined): string[] {
  const known = new Set([...ofTarget, ...(entry?.labels ?? [])]);
  return [...selector.matchAll(/([a-z_]+)(=~|!~|!=|=)"([^"]*)"/g)].flatMap(([, label = '', , text = '']) => {
    if (!known.has(label)) return [label];
    const values = entry?.values?.[label];
    return values ? text.split('|').filter((value) => !values.includes(value)) : [];
  });
}

/** Every metric in it is there for each object, and can be switched off. */
export const isPerObject = (name: string): boolean => byName.get(name)?.perObject === true;
