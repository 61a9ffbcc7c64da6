// The CustomResourceDefinitions: what zod knows of a kind, plus names, columns and the like.
import { stringify } from 'yaml';
import {
  apiGroup,
  apiVersion,
  branchClassResource,
  databaseBranchResource,
  pointInTimeRestoreResource,
  provisionedServiceLabel,
} from '../../src/api/names.ts';
import { branchClassSchema } from '../../src/api/v1alpha1/branch-class.ts';
import { databaseBranchSchema } from '../../src/api/v1alpha1/database-branch.ts';
import { pointInTimeRestoreSchema } from '../../src/api/v1alpha1/point-in-time-restore.ts';
import { structural, type StructuralSchema } from './structural.ts';

interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** 1: only with `-o wide`. */
  readonly priority?: 1;
}

export interface KindDefinition {
  readonly resource: typeof databaseBranchResource;
  readonly shortName: string;
  readonly labels?: Record<string, string>;
  readonly columns: readonly PrinterColumn[];
  readonly selectable?: readonly string[];
  readonly schema: StructuralSchema;
}

const readyField = (field: string): string => `.status.conditions[?(@.type=="Ready")].${field}`;

// A time in the future is a string: the server prints a date column as an age, which would be <invalid>.
export const kinds: readonly KindDefinition[] = [
  {
    resource: databaseBranchResource,
    shortName: 'dbb',
    labels: { [provisionedServiceLabel.key]: provisionedServiceLabel.value },
    columns: [
      {
        name: 'Ready',
        type: 'string',
        jsonPath: readyField('status'),
        description: 'Whether the Secret holds a login that works.',
      },
      {
        name: 'Status',
        type: 'string',
        jsonPath: readyField('reason'),
        description: 'Why; docs/reasons.md explains each.',
      },
      {
        name: 'Source',
        type: 'string',
        jsonPath: '.status.branch.source.branch',
        description: 'The branch that was forked.',
      },
      {
        name: 'Expires',
        type: 'string',
        jsonPath: '.status.expiration.expireTime',
        description: 'When the branch ends.',
      },
      {
        name: 'Age',
        type: 'date',
        jsonPath: '.metadata.creationTimestamp',
        description: 'Time since the object was created.',
      },
      {
        name: 'Branch',
        type: 'string',
        jsonPath: '.status.branch.id',
        description: 'Id of the branch at the provider.',
        priority: 1,
      },
      {
        name: 'Host',
        type: 'string',
        jsonPath: '.status.endpoint.host',
        description: 'Host of the database.',
        priority: 1,
      },
      {
        name: 'Token-Expires',
        type: 'string',
        jsonPath: '.status.credentials.expireTime',
        description: 'When the token in the Secret dies.',
        priority: 1,
      },
      { name: 'Class', type: 'string', jsonPath: '.spec.className', description: 'The BranchClass.', priority: 1 },
      {
        name: 'Message',
        type: 'string',
        jsonPath: readyField('message'),
        description: 'What is the case and what to do.',
        priority: 1,
      },
    ],
    selectable: ['.spec.className'],
    schema: structural(databaseBranchSchema),
  },
  {
    resource: pointInTimeRestoreResource,
    shortName: 'pitr',
    columns: [
      {
        name: 'Succeeded',
        type: 'string',
        jsonPath: '.status.conditions[?(@.type=="Succeeded")].status',
        description: 'Whether the branch of the past is there; Unknown while it is made.',
      },
      {
        name: 'Status',
        type: 'string',
        jsonPath: readyField('reason'),
        description: 'Why; docs/reasons.md explains each.',
      },
      {
        name: 'Requested',
        type: 'string',
        jsonPath: '.status.requestedTime',
        description: 'The instant that was asked for.',
      },
      {
        name: 'Actual',
        type: 'string',
        jsonPath: '.status.actualTime',
        description: 'The instant whose data the branch holds.',
      },
      {
        name: 'Skew',
        type: 'string',
        jsonPath: '.status.skewSeconds',
        description: 'Seconds between the two.',
      },
      {
        name: 'Branch',
        type: 'string',
        jsonPath: '.status.branchRef.name',
        description: 'The DatabaseBranch that was made.',
      },
      {
        name: 'Age',
        type: 'date',
        jsonPath: '.metadata.creationTimestamp',
        description: 'Time since the object was created.',
      },
      {
        name: 'Message',
        type: 'string',
        jsonPath: readyField('message'),
        description: 'What is the case and what to do.',
        priority: 1,
      },
    ],
    schema: structural(pointInTimeRestoreSchema),
  },
  {
    resource: branchClassResource,
    shortName: 'bclass',
    columns: [
      { name: 'Ready', type: 'string', jsonPath: readyField('status'), description: 'Whether the class can be used.' },
      {
        name: 'Status',
        type: 'string',
        jsonPath: readyField('reason'),
        description: 'Why; docs/reasons.md explains each.',
      },
      { name: 'Project', type: 'string', jsonPath: '.spec.provider.project', description: 'The Lakebase project.' },
      {
        name: 'Source',
        type: 'string',
        jsonPath: '.spec.sources.default',
        description: 'The branch that is forked by default.',
      },
      {
        name: 'Age',
        type: 'date',
        jsonPath: '.metadata.creationTimestamp',
        description: 'Time since the object was created.',
      },
      {
        name: 'Workspace',
        type: 'string',
        jsonPath: '.spec.provider.host',
        description: 'Address of the workspace.',
        priority: 1,
      },
      {
        name: 'Message',
        type: 'string',
        jsonPath: readyField('message'),
        description: 'What is the case and what to do.',
        priority: 1,
      },
    ],
    schema: structural(branchClassSchema),
  },
];

/** Where the CRD of a kind is kept. */
export const crdPath = ({ resource }: KindDefinition): string => `crds/${apiGroup}_${resource.plural}.yaml`;

export function crdYaml(kind: KindDefinition): string {
  const header = '# Generated from src/api by `npm run generate`. Do not edit.\n';
  return header + stringify(crd(kind), { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 120 });
}

function crd({ resource, shortName, labels, columns, selectable, schema }: KindDefinition): object {
  const { plural, kind, namespaced } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${apiGroup}`, ...(labels ? { labels } : {}) },
    spec: {
      group: apiGroup,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      // A category of its own and not `all`: nobody should lose branches by `kubectl delete all --all`.
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: [shortName],
        categories: ['lakebranch'],
      },
      versions: [
        {
          name: apiVersion,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns,
          ...(selectable ? { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) } : {}),
          schema: { openAPIV3Schema: withStandardFields(schema) },
        },
      ],
    },
  };
}

/** What every object has; the API server knows the inside of metadata itself. */
const withStandardFields = (schema: StructuralSchema): StructuralSchema => ({
  ...schema,
  properties: {
    apiVersion: { type: 'string', description: `${apiGroup}/${apiVersion}` },
    kind: { type: 'string', description: 'The kind of this object.' },
    metadata: { type: 'object' },
    ...schema.properties,
  },
});
