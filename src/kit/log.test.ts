import { expect, test } from 'vitest';
import { KubeError } from './kube.ts';
import { createLog, type Logger } from './log.ts';

function lines(write: (log: Logger) => void): Record<string, unknown>[] {
  const written: string[] = [];
  write(createLog('info', { write: (line) => written.push(line) }));
  return written.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('a line is JSON with level, time, message and the fields bound to its logger', () => {
  const [line, ...others] = lines((log) => {
    const child = log.child({ controller: 'widget', key: 'shop/a' });
    child.debug('not at this level');
    child.info({ reason: 'Due' }, 'painted');
  });
  expect(line).toMatchObject({ level: 'info', msg: 'painted', controller: 'widget', key: 'shop/a', reason: 'Due' });
  expect(Date.parse(String(line?.['time']))).not.toBeNaN();
  expect(others).toEqual([]);
});

test.each([
  'password',
  'token',
  'access_token',
  'accessToken',
  'Authorization',
  'client-secret',
  'uri',
  'jdbc-uri',
  'data',
])('what is called %s is hidden, wherever it stands', (name) => {
  const secret = 'hunter2';
  const text = JSON.stringify(
    lines((log) => {
      log.info({ [name]: secret }, 'direct');
      log.info({ deep: { deeper: [{ [name]: { value: secret } }] } }, 'deep');
      log.child({ bound: { [name]: secret } }).info('bound');
    }),
  );
  expect(text).not.toContain(secret);
  expect(text.match(/\[hidden\]/g)).toHaveLength(3);
});

test('an error is its name, code and message, and neither its cause nor its body', () => {
  const status = { code: 409, reason: 'Conflict', message: 'too late', details: { causes: [{ message: 'hunter2' }] } };
  const error = new KubeError('PUT /x', 409, status);
  error.cause = new Error('hunter2');
  const expected = { name: 'KubeError', code: 409, message: 'PUT /x: 409 Conflict too late' };
  const [direct, named, nested] = lines((log) => {
    log.warn(error);
    log.warn({ err: error }, 'failed');
    log.warn({ step: { error } }, 'failed');
  });
  expect(direct).toMatchObject({ err: expected, msg: error.message });
  expect(named?.['err']).toEqual(expected);
  expect(nested?.['step']).toEqual({ error: expected });
});

test('a value that prints itself is left to do so, and what has no end is cut', () => {
  const endless: Record<string, unknown> = {};
  endless['self'] = endless;
  const [line] = lines((log) => log.info({ at: new Date(0), endless, count: 1, none: undefined }, 'values'));
  expect(line).toMatchObject({ at: '1970-01-01T00:00:00.000Z', count: 1 });
  expect(JSON.stringify(line)).toContain('[too deep]');
});
