export { PipelineError } from './errors.ts';
export {
  describeConfig,
  readConfig,
  redactConfig,
  settingName,
  type Environment,
  type SettingRow,
} from './config.ts';
export {
  flagSetting,
  integerSetting,
  listSetting,
  postgresUrlSetting,
  type SettingMeta,
} from './setting.ts';
export { maskUrlCredentials, redact } from './redact.ts';
export {
  createLogger,
  errorForLog,
  logLevels,
  quietLogger,
  type LogFields,
  type Logger,
  type LogLevel,
} from './logger.ts';
export { createMetricsRegistry } from './metrics.ts';
export {
  startAdminServer,
  type AdminServer,
  type CheckResult,
  type ReadinessCheck,
} from './admin-server.ts';
export { systemClock, type Clock } from './clock.ts';
export { backoffMs } from './backoff.ts';
export { postgresConnection, type PostgresConnection } from './postgres-connection.ts';
export { connectionFault, type ConnectionFault } from './connection-fault.ts';
export { LineLimit } from './line-limit.ts';
export { listenFault } from './listen-fault.ts';
export { runUntilSignal, type Lifecycle, type ProcessHost } from './lifecycle.ts';
export type { KafkaConnection, KafkaLog } from './kafka-connection.ts';
export { kafkaConnection, kafkaSettings, type KafkaSettings } from './kafka-settings.ts';
export {
  slotHealth,
  slotHealthSql,
  walLimitSql,
  type OpenTransaction,
  type SlotHealth,
  type SlotHealthRow,
} from './slot/slot-health.ts';
export { sourceFingerprint, type FingerprintedSource } from './slot/source-fingerprint.ts';
export { TransactionAge } from './slot/transaction-age.ts';
export { walBudget, walBudgetSettings, type WalBudget } from './slot/wal-budget.ts';
export { WalGrowth, type GrowthRate } from './slot/wal-growth.ts';
export { walHolders, type WalHolder } from './slot/wal-holder.ts';
export {
  judgeWal,
  walStates,
  walText,
  type WalState,
  type WalVerdict,
} from './slot/wal-verdict.ts';
export { bytesText, durationText } from './units.ts';
