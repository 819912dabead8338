/** An alert as Prometheus has it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  /** How long it must hold. */
  readonly for: string;
  readonly severity: 'warning' | 'critical';
  readonly summary: string;
}

/** Alerts on the relay's metrics; `docs/metrics.md` shows them. They name only metrics that there are: a test. */
export const alertRules: readonly AlertRule[] = [
  {
    alert: 'OutboundSlotLost',
    expr: 'max(relay_slot_wal_state{state="lost"}) == 1',
    for: '0m',
    severity: 'critical',
    summary: 'Postgres gave the slot up: a data gap. outbound recover.',
  },
  {
    alert: 'OutboundWalAlarm',
    expr: 'max(relay_slot_wal_state{state="alarm"}) == 1',
    for: '1m',
    severity: 'critical',
    summary:
      'The log that is kept for the slot is above its alarm; relay_slot_wal_held_by says why.',
  },
  {
    alert: 'OutboundWalWarning',
    expr: 'max(relay_slot_wal_state{state="warn"}) == 1',
    for: '5m',
    severity: 'warning',
    summary: 'The log that is kept for the slot is above its warning.',
  },
  {
    alert: 'OutboundSlotEndsSoon',
    expr: 'min(relay_slot_seconds_left) < 3600',
    for: '5m',
    severity: 'critical',
    summary: 'At the present rate Postgres gives the slot up within an hour.',
  },
  {
    alert: 'OutboundSlotUnknown',
    expr: 'min(relay_slot_wal_state{state="unknown"}) == 1 or absent(relay_slot_wal_state)',
    for: '5m',
    severity: 'critical',
    summary:
      'Nobody knows how much log is kept: no relay runs, or none can ask Postgres. The log may grow all the same.',
  },
  {
    alert: 'OutboundCatalogXminOld',
    expr: 'max(relay_slot_catalog_xmin_age) > 500e6',
    for: '10m',
    severity: 'warning',
    summary: 'The slot has kept vacuum from the catalogs for 500 million transactions.',
  },
  {
    alert: 'OutboundPartitionStuck',
    expr: 'max by (topic, partition) (relay_partition_stuck_seconds) > 60',
    for: '0m',
    severity: 'critical',
    summary: 'A partition takes nothing while others may: its leader, or its replicas in sync.',
  },
];

/** The rules as a file for Prometheus. */
export function alertRulesYaml(): string {
  return `groups:
  - name: outbound
    rules:
${alertRules
  .map(
    (rule) => `      - alert: ${rule.alert}
        expr: ${rule.expr}
        for: ${rule.for}
        labels: { severity: ${rule.severity} }
        annotations: { summary: '${rule.summary}' }`,
  )
  .join('\n')}`;
}
