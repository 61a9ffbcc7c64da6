// What the script knows of the world while it is written: only what it did itself, so that the same seed writes the same
// script whatever the world makes of it.

export interface ModelObject {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly secretName: string;
}

export const classNames = ['shop', 'store', 'narrow'] as const;

/** In which project a class makes branches: two of them share one. */
export const projectOf = (className: string): string => (className === 'store' ? 'store' : 'shop');

/** What the classes say where the script has not changed it. */
export const ordinary = {
  sources: { allow: ['production', 'staging-*'], default: 'production' },
  expiration: { default: '72h', max: '336h' },
  endpoint: { minCU: '0.5', maxCU: 8, suspendAfter: '10m' },
} as const;

/** The two identities whose tokens go into Secrets, by their Secrets in the operator's namespace. */
export const logins = ['login-a', 'login-b'] as const;

export const most = { namespaces: 5, objects: 12, handMade: 2 } as const;

export class Model {
  readonly namespaces: string[] = [];
  readonly objects: ModelObject[] = [];
  /** Branches that a person made, by project. */
  readonly handMade: { readonly project: string; readonly id: string }[] = [];
  /** Secrets of somebody else under names that objects ask for. */
  readonly foreignSecrets: { readonly namespace: string; readonly name: string }[] = [];
  #count = 0;

  /** A name that was never used. */
  fresh(prefix: string): string {
    return `${prefix}-${(this.#count += 1)}`;
  }

  drop(object: ModelObject): void {
    this.objects.splice(this.objects.indexOf(object), 1);
  }

  dropNamespace(name: string): void {
    this.namespaces.splice(this.namespaces.indexOf(name), 1);
    this.#keep(this.objects, (object) => object.namespace !== name);
    this.#keep(this.foreignSecrets, (secret) => secret.namespace !== name);
  }

  #keep<T>(list: T[], keeps: (item: T) => boolean): void {
    list.splice(0, list.length, ...list.filter(keeps));
  }
}
