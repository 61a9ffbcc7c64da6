// The shape of the chart's values, from which values.schema.json is generated: strict, so that a misspelt value is
// refused with its path. What each value means stands once, as a comment in values.yaml.
import * as z from 'zod';

const text = z.string();
const dnsLabel = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
const objectName = z.string().regex(/^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$/);
/** Of a label that selects. */
const labelValue = z.string().regex(/^([a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?)?$/);
/** Services have the strictest names; room is left for what is put behind. */
const serviceName = z.string().regex(/^([a-z]([-a-z0-9]{0,38}[a-z0-9])?)?$/);
const port = z.int().min(1).max(65_535);
const ports = z.array(port);
const duration = z.string().regex(/^([0-9]+h)?([0-9]+m)?([0-9]+s)?$/);
const texts = z.record(z.string(), z.string());
/** Parts of Kubernetes objects that are handed on as they are; the API server knows them. */
const given = z.looseObject({});
/** Maps with defaults that null takes away: Helm merges, so an empty map would leave them. */
const givenOrNone = given.optional();
const givenList = z.array(given);

const image = {
  repository: z.string().regex(/^[a-z0-9]+([._/-]+[a-z0-9]+)*$/),
  tag: z.string().regex(/^([\w][\w.-]{0,127})?$/),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
};

/** Commas separate them in the variable of the operator, which takes visible ASCII only. */
const audience = z
  .string()
  .max(512)
  .regex(/^[!-+\x2d-~]+$/);

export const chartValues = z.strictObject({
  nameOverride: labelValue,
  fullnameOverride: serviceName,
  commonLabels: texts,
  scope: z.enum(['cluster', 'namespaces', 'namespace']),
  namespaces: z.array(dnsLabel),
  image: z.strictObject({ registry: text, ...image, pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']) }),
  imagePullSecrets: z.array(z.strictObject({ name: objectName.min(1) })),
  crds: z.strictObject({ enabled: z.boolean(), keep: z.boolean() }),
  workloadIdentity: z.strictObject({
    audiences: z.array(audience).max(16),
    expirationSeconds: z.int().min(600).max(86_400),
  }),
  existingSecret: z.union([objectName, z.array(objectName.min(1))]),
  clusterID: z.string().max(128),
  previousClusterIDs: z.array(
    z
      .string()
      .max(128)
      .regex(/^[^,]+$/),
  ),
  deletionMaxWait: duration.min(1),
  projectLimit: z.int().min(1).max(10_000),
  providerQPS: z.number().min(0.1).max(1000),
  workers: z.int().min(1).max(256),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']),
  proxy: z.strictObject({
    url: z.string().regex(/^(https?:\/\/.+)?$/),
    noProxy: text,
    existingSecret: z.strictObject({ name: objectName, key: z.string().min(1) }),
  }),
  extraCA: z.strictObject({ configMap: objectName, key: z.string().min(1) }),
  replicas: z.int().min(1).max(10),
  resources: givenOrNone,
  podDisruptionBudget: z.strictObject({ enabled: z.boolean() }),
  topologySpreadConstraints: givenList,
  priorityClassName: objectName,
  nodeSelector: texts,
  tolerations: givenList,
  affinity: given,
  podAnnotations: texts,
  podLabels: texts,
  podSecurityContext: givenOrNone,
  securityContext: givenOrNone,
  terminationGracePeriodSeconds: z.int().min(5),
  extraEnv: z.array(z.looseObject({ name: z.string().min(1) })),
  extraEnvFrom: givenList,
  extraVolumes: givenList,
  extraVolumeMounts: givenList,
  serviceAccount: z.strictObject({ create: z.boolean(), name: objectName, annotations: texts }),
  rbac: z.strictObject({ create: z.boolean(), aggregate: z.boolean(), serviceBinding: z.boolean() }),
  secretPolicy: z.strictObject({ enabled: z.boolean() }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    metricsFrom: givenList,
    apiServerPorts: ports,
    workspacePorts: ports,
    databasePorts: ports,
    to: givenList,
    extraEgress: givenList,
  }),
  metrics: z.strictObject({
    mode: z.enum(['Plain', 'Protected']),
    port,
    certSecret: objectName,
    perObject: z.boolean(),
    service: z.boolean(),
    monitor: z.strictObject({
      kind: z.enum(['', 'ServiceMonitor', 'PodMonitor']),
      labels: texts,
      interval: duration,
      tlsConfig: given,
      authorization: given,
      relabelings: givenList,
      metricRelabelings: givenList,
    }),
    prometheusRule: z.strictObject({ enabled: z.boolean(), runbookBase: z.string().regex(/^(.*\/)?$/), labels: texts }),
    dashboard: z.strictObject({ enabled: z.boolean(), labels: texts, annotations: texts }),
  }),
  uninstall: z.strictObject({ guard: z.boolean(), releaseFinalizers: z.boolean() }),
  emulator: z.strictObject({
    enabled: z.boolean(),
    image: z.strictObject(image),
    project: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
    existingSecret: objectName,
    extraArgs: z.array(z.string().startsWith('--')),
    persistence: z.strictObject({ enabled: z.boolean(), size: z.string().min(1), storageClassName: objectName }),
    resources: givenOrNone,
  }),
  // Helm hands these down from a chart that has this one as a part.
  global: given.optional(),
});
