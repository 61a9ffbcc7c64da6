// The table of what a person or a program may do to objects, classes, Secrets and branches, and how often it is drawn.
import type { Dice } from './dice.ts';
import { classNames, logins, most, ordinary, projectOf, type Model, type ModelObject } from './model.ts';
import type { Action, Key, Tampering } from './operation.ts';

export interface Kind {
  readonly kind: string;
  readonly weight: number;
  /** Undefined: it makes no sense now. Notes in the model what it draws. */
  readonly draw: (model: Model, dice: Dice) => Action | undefined;
}

const keyOf = ({ namespace, name }: ModelObject): Key => ({ namespace, name });
const secretOf = ({ namespace, secretName }: ModelObject): Key => ({ namespace, name: secretName });

/** A kind that needs an object, any. */
const onObject =
  (draw: (object: ModelObject, dice: Dice, model: Model) => Action | undefined): Kind['draw'] =>
  (model, dice) => {
    const object = dice.pick(model.objects);
    return object && draw(object, dice, model);
  };

/** A kind that is an edit of the spec, by merge patch. */
const edit = (draw: (dice: Dice, model: Model) => object): Kind['draw'] =>
  onObject((object, dice, model) => ({
    do: 'patchObject',
    key: keyOf(object),
    patch: { spec: draw(dice, model) },
  }));

const onClass =
  (draw: (dice: Dice) => object): Kind['draw'] =>
  (_model, dice) => ({ do: 'patchClass', name: dice.pick(classNames) ?? '', patch: { spec: draw(dice) } });

/** No database stands behind the emulator here, so nobody can log in. */
const unverified = { verify: { login: 'Never' } };

function specOf(dice: Dice): object {
  return {
    ...unverified,
    ...(dice.chance(30) ? { source: { branch: dice.pick(['production', 'staging-1']) } } : {}),
    ...(dice.chance(30) ? { expiration: { ttl: dice.pick(['10m', '1h', '72h', '400h']) } } : {}),
    ...(dice.chance(30) ? { endpoint: endpointOf(dice) } : {}),
  };
}

const endpointOf = (dice: Dice): object => ({
  minCU: dice.pick([null, '0.5', 1]),
  maxCU: dice.pick([null, 1, 2, 4, 12]),
  suspendAfter: dice.pick([null, '1m', '5m', '20m']),
});

const templates: readonly object[] = [
  { data: { DATABASE_URL: '{{ .uri }}' } },
  { data: { HOST: '{{ .host }}', COPY: '{{ .password }}' }, labels: { team: 'red' } },
  { data: { HOST: 'db at {{ .host }}' }, annotations: { 'example.com/note': 'hello' } },
  // Without a private CA there is no such key.
  { data: { CA: '{{ .certificates }}' } },
];

function createObject(model: Model, dice: Dice, namespace: string, name: string, secretName = name): Action {
  const className = dice.pick(classNames) ?? 'shop';
  model.objects.push({ namespace, name, className, secretName });
  const credentials = secretName === name ? {} : { credentials: { secretName } };
  return {
    do: 'createObject',
    key: { namespace, name },
    spec: { className, ...withoutNulls(specOf(dice)), ...credentials },
  };
}

const withoutNulls = (value: object): object =>
  JSON.parse(JSON.stringify(value, (_key, inner: unknown) => inner ?? undefined)) as object;

const tamperings: readonly Tampering[] = [
  'empty',
  'garbledHost',
  'sourceHost',
  'siblingHost',
  'oldPassword',
  'stripOwner',
  'junkAnnotation',
  'foreignKey',
];

/** Looks like a branch of an operator, of another cluster or of an object that nobody knows; or like nothing at all. */
function handMadeId(model: Model, dice: Dice): string {
  const part = (length: number): string =>
    Array.from({ length }, () => 'abcdefghijklmnopqrstuvwxyz234567'[dice.roll(32)]).join('');
  const namespace = dice.pick(model.namespaces) ?? 'pr';
  return dice.chance(70) ? `${namespace}-db-${part(16)}-${part(6)}` : model.fresh('by-hand');
}

export const kinds: readonly Kind[] = [
  {
    kind: 'namespace.create',
    weight: 3,
    draw(model, dice) {
      if (model.namespaces.length >= most.namespaces) return undefined;
      const name = model.fresh('pr');
      model.namespaces.push(name);
      return { do: 'createNamespace', name, allowed: dice.chance(95) };
    },
  },
  {
    kind: 'namespace.delete',
    weight: 1,
    draw(model, dice) {
      const name = dice.pick(model.namespaces);
      if (name === undefined) return undefined;
      model.dropNamespace(name);
      return { do: 'removeNamespace', name };
    },
  },
  {
    kind: 'namespace.label',
    weight: 2,
    draw(model, dice) {
      const name = dice.pick(model.namespaces);
      return name === undefined ? undefined : { do: 'labelNamespace', name, allowed: dice.chance(75) };
    },
  },
  {
    kind: 'object.create',
    weight: 20,
    draw(model, dice) {
      const namespace = dice.pick(model.namespaces);
      if (namespace === undefined || model.objects.length >= most.objects) return undefined;
      return createObject(model, dice, namespace, model.fresh('db'));
    },
  },
  {
    kind: 'object.createRival',
    weight: 2,
    draw(model, dice) {
      const other = dice.pick(model.objects);
      if (!other || model.objects.length >= most.objects) return undefined;
      return createObject(model, dice, other.namespace, model.fresh('rival'), other.secretName);
    },
  },
  {
    kind: 'object.delete',
    weight: 6,
    draw: onObject((object, _dice, model) => {
      model.drop(object);
      return { do: 'removeObject', key: keyOf(object) };
    }),
  },
  {
    kind: 'spec.ttl',
    weight: 4,
    draw: edit((dice) => ({ expiration: { ttl: dice.pick(['10m', '2h', '24h', '72h', '500h']), at: null } })),
  },
  {
    kind: 'spec.expireSoon',
    weight: 2,
    draw: onObject((object, dice) => ({ do: 'expireSoon', key: keyOf(object), seconds: dice.between(1, 30) })),
  },
  { kind: 'spec.endpoint', weight: 5, draw: edit((dice) => ({ endpoint: endpointOf(dice) })) },
  {
    kind: 'spec.template',
    weight: 5,
    draw: edit((dice) => ({ credentials: { template: dice.pick([null, ...templates]) } })),
  },
  {
    kind: 'spec.rotateToken',
    weight: 5,
    draw: edit((_dice, model) => ({ credentials: { rotateToken: model.fresh('token') } })),
  },
  { kind: 'spec.tokenTTL', weight: 2, draw: edit((dice) => ({ credentials: { tokenTTL: dice.pick(['15m', '1h']) } })) },
  {
    kind: 'spec.reset',
    weight: 8,
    draw: edit((dice, model) => ({ reset: { token: dice.pick(['', '1', '2', '3', model.fresh('reset')]) } })),
  },
  {
    kind: 'spec.resetStrategy',
    weight: 3,
    draw: edit((dice) => ({ reset: { strategy: dice.pick(['Switch', 'Replace']), drain: '2m' } })),
  },
  {
    kind: 'spec.source',
    weight: 3,
    draw: edit((dice, model) => ({
      source: { branch: dice.pick(['production', 'staging-1', 'staging-2']) },
      reset: { token: model.fresh('reset') },
    })),
  },
  {
    kind: 'spec.children',
    weight: 2,
    draw: edit((dice) => ({ children: dice.pick(['Allow', 'Forbid']) })),
  },
  {
    kind: 'spec.deletionPolicy',
    weight: 2,
    draw: edit((dice) => ({ deletionPolicy: dice.pick(['Retain', 'Delete']) })),
  },
  {
    kind: 'annotation.paused',
    weight: 4,
    draw: onObject((object, dice) => ({
      do: 'patchObject',
      key: keyOf(object),
      patch: { metadata: { annotations: { 'lakebranch.dev/paused': dice.pick(['true', 'all', null, null]) } } },
    })),
  },
  {
    kind: 'annotation.junk',
    weight: 2,
    draw: onObject((object, dice, model) => ({
      do: 'patchObject',
      key: keyOf(object),
      patch: {
        metadata: { annotations: { [dice.chance(50) ? 'example.com/x' : 'lakebranch.dev/release']: model.fresh('v') } },
      },
    })),
  },
  { kind: 'status.wipe', weight: 5, draw: onObject((object) => ({ do: 'wipeStatus', key: keyOf(object) })) },
  {
    kind: 'secret.tamper',
    weight: 9,
    draw: onObject((object, dice) => ({ do: 'tamper', key: secretOf(object), how: dice.pick(tamperings) ?? 'empty' })),
  },
  { kind: 'secret.delete', weight: 4, draw: onObject((object) => ({ do: 'removeSecret', key: secretOf(object) })) },
  {
    kind: 'secret.foreign',
    weight: 2,
    draw(model, dice) {
      const namespace = dice.pick(model.namespaces);
      if (namespace === undefined || model.foreignSecrets.length > 1) return undefined;
      const key = { namespace, name: model.fresh('db') };
      model.foreignSecrets.push(key);
      return { do: 'createForeignSecret', key };
    },
  },
  {
    kind: 'object.onForeign',
    weight: 2,
    draw(model, dice) {
      const key = model.foreignSecrets.find(({ name }) => model.objects.every((object) => object.name !== name));
      return key && createObject(model, dice, key.namespace, key.name);
    },
  },
  {
    kind: 'secret.foreignGoes',
    weight: 2,
    draw(model) {
      const key = model.foreignSecrets.shift();
      return key && { do: 'removeSecret', key };
    },
  },
  {
    kind: 'class.sources',
    weight: 2,
    draw: onClass((dice) => ({
      sources: dice.chance(60) ? ordinary.sources : { allow: ['staging-*'], default: 'staging-1' },
    })),
  },
  {
    kind: 'class.expiration',
    weight: 2,
    draw: onClass((dice) => ({
      expiration: { default: dice.pick(['72h', '1h']), max: dice.pick(['336h', '336h', '72h']) },
    })),
  },
  {
    kind: 'class.endpoint',
    weight: 2,
    draw: onClass((dice) => ({ endpoint: { ...ordinary.endpoint, maxCU: dice.pick([8, 8, 16, 1]) } })),
  },
  {
    kind: 'class.login',
    weight: 1,
    draw: onClass((dice) => ({ login: { auth: { clientSecretRef: { name: dice.pick(logins) } } } })),
  },
  {
    kind: 'class.limits',
    weight: 3,
    draw: onClass((dice) => ({
      limits: { total: dice.pick([8, 8, 4, 2]), perNamespace: dice.pick([4, 4, 1]), reserve: dice.pick([0, 1]) },
    })),
  },
  {
    kind: 'hand.delete',
    weight: 2,
    draw: onObject((object) => ({ do: 'deleteByHand', project: projectOf(object.className), key: keyOf(object) })),
  },
  {
    kind: 'hand.make',
    weight: 2,
    draw(model, dice) {
      if (model.handMade.length >= most.handMade) return undefined;
      const made = { project: projectOf(dice.pick(classNames) ?? ''), id: handMadeId(model, dice) };
      model.handMade.push(made);
      return { do: 'makeByHand', ...made };
    },
  },
  {
    kind: 'hand.remove',
    weight: 1,
    draw(model) {
      const made = model.handMade.shift();
      return made && { do: 'removeByHand', ...made };
    },
  },
];
