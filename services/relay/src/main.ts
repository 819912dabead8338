import { deadLetterTopics, SchemaRegistry, withTopicPrefix } from '@outbound/contract';
import {
  createLogger,
  createMetricsRegistry,
  type KafkaConnection,
  kafkaConnection,
  PipelineError,
  postgresConnection,
  readConfig,
  redactConfig,
  runUntilSignal,
  startAdminServer,
  systemClock,
  walBudget,
  type WalBudget,
  type WalVerdict,
} from '@outbound/service-kit';
import packageJson from '../package.json' with { type: 'json' };
import {
  configPrefix,
  configSchema,
  judgeTimings,
  parseFailPoint,
  type RelayConfig,
} from './config.ts';
import { recoveries, toRelayError } from './errors.ts';
import { loadEventTypes } from './event-types-module.ts';
import { noFailPoint, type ReachFailPoint } from './fail-points.ts';
import { keepHouse } from './house-keeper.ts';
import { KafkaPublisher } from './kafka/kafka-publisher.ts';
import { defaultSendLimits } from './kafka/send-plan.ts';
import { registeredPrefixes } from './kafka/value-prefixes.ts';
import { limitedKafkaLog } from './limited-kafka-log.ts';
import { createLogObserver } from './log-observer.ts';
import { createRelayMetrics } from './metrics.ts';
import { observers } from './observers.ts';
import { letterReader } from './poison/letter-reader.ts';
import { redriveLoop } from './poison/redrive-loop.ts';
import { writeLetters } from './poison/write-letters.ts';
import { Readiness } from './readiness.ts';
import type { SessionGauges } from './relay-observer.ts';
import { runRelay } from './relay.ts';
import { monitorSlot, slotReadiness } from './slot-monitor.ts';
import { createNoticeLog } from './source-notice-log.ts';
import { PostgresSource } from './wal/postgres-source.ts';
import { slotQuestion } from './wal/slot-question.ts';

/** Reads the environment, or ends the process with one sentence per wrong setting. */
function configOrExit(): { config: RelayConfig; kafka: KafkaConnection; budget: WalBudget } {
  try {
    const config = readConfig(configPrefix, configSchema, process.env);
    judgeTimings(config);
    // Certificates that cannot be used are told now; later they may be in the midst of a renewal.
    postgresConnection(config.databaseUrl);
    return {
      config,
      kafka: kafkaConnection(config, { prefix: configPrefix, env: process.env }),
      budget: walBudget(config, { prefix: configPrefix }),
    };
  } catch (thrown) {
    if (!(thrown instanceof PipelineError)) throw thrown;
    process.stderr.write(`relay: ${thrown.message}\n`);
    process.exit(recoveries.CONFIG_INVALID.exitCode);
  }
}

/** Kills this process at the named point: what a crash between two lines does, for the system tests. */
function failPointFrom(setting: string | undefined): ReachFailPoint {
  const wanted = setting === undefined ? undefined : parseFailPoint(setting);
  if (!wanted) return noFailPoint;
  let reached = 0;
  return (point) => {
    if (point !== wanted.name) return;
    reached += 1;
    if (reached === wanted.count) process.kill(process.pid, 'SIGKILL');
  };
}

/** What a stop takes beside the drain, at the most; `deploy/` and the docs name the sum. */
const closingMs = 4500;
/** How long a stop waits for what runs beside the stream. */
const besideMs = 1000;

const { config, kafka, budget } = configOrExit();
const logger = createLogger({ service: 'relay', level: config.logLevel });

await runUntilSignal(
  async ({ signal, onClose }) => {
    logger.info({ component: 'config', config: redactConfig(configSchema, config) }, 'starting');
    const registry = createMetricsRegistry({ prefix: 'relay_', version: packageJson.version });
    const metrics = createRelayMetrics(registry, () => systemClock.wallMs());
    const readiness = new Readiness();
    let walVerdict: WalVerdict | undefined;
    let gauges: (() => SessionGauges) | undefined;
    const observer = observers(createLogObserver(logger), metrics.observer, readiness.observer, {
      sessionStarted: (read) => {
        gauges = read;
      },
      sessionEnded: () => {
        gauges = undefined;
      },
    });
    const logNotice = createNoticeLog(logger);
    const connection = { databaseUrl: config.databaseUrl };
    const [schema = '', name = ''] = config.outboxTable.split('.');
    const outbox = { schema, name };

    const admin = await startAdminServer({
      host: config.adminHost,
      port: config.adminPort,
      settings: 'RELAY_ADMIN_HOST and RELAY_ADMIN_PORT',
      registry,
      checks: {
        relay: () => readiness.relay,
        kafka: () => readiness.kafka,
        slot: () => slotReadiness(walVerdict, readiness),
      },
    });
    onClose('admin server', () => admin.close());
    logger.info({ component: 'admin', host: config.adminHost, port: admin.port }, 'listening');

    const stopBeside = new AbortController();
    const monitor = monitorSlot(
      {
        question: slotQuestion(connection, config.slot),
        slot: config.slot,
        budget,
        clock: systemClock,
        logger,
        onVerdict: (verdict) => {
          walVerdict = verdict;
          metrics.slot(verdict);
        },
      },
      stopBeside.signal,
    );
    const houseKeeper = keepHouse(
      {
        connection,
        retentionHours: config.outboxRetentionHours,
        intervalMs: config.housekeepingIntervalMs,
        clock: systemClock,
        logger,
      },
      stopBeside.signal,
    );
    onClose('slot monitor and housekeeping', async () => {
      stopBeside.abort();
      // A question to a server that hangs is not waited for: the process ends, and its connections with it.
      await Promise.race([Promise.all([monitor, houseKeeper]), systemClock.sleep(besideMs)]);
    });

    try {
      const eventTypes = withTopicPrefix(
        await loadEventTypes(config.eventTypes),
        config.topicPrefix,
      );
      // Also where poison stops the relay: keys that were parked before wait on.
      const deadLetters = deadLetterTopics(config.topicPrefix);
      const valuePrefixes =
        config.schemaRegistryUrl === undefined
          ? undefined
          : await registeredPrefixes(
              eventTypes.values(),
              new SchemaRegistry({ url: config.schemaRegistryUrl }),
            );
      if (config.redrive) {
        const stopRedrive = new AbortController();
        const redriving = redriveLoop(
          {
            clock: systemClock,
            logger,
            ports: {
              parked: () => gauges?.().listParked() ?? [],
              knows: (type) => eventTypes.has(type),
              letters: letterReader({ connection: kafka, log: logger, topics: deadLetters }),
              write: (rows) => writeLetters(connection, rows),
              onStuck: (eid, error) =>
                logger.warn(
                  { component: 'redrive', eid, code: error.code, error },
                  'the database does not take this dead letter again, so its key waits for a person (outbound dead-letters discard)',
                ),
            },
          },
          stopRedrive.signal,
        );
        onClose('redrive', async () => {
          stopRedrive.abort();
          // A broker or a server that hangs is not waited for.
          await Promise.race([redriving, systemClock.sleep(besideMs)]);
        });
      }
      await runRelay(
        {
          source: new PostgresSource({
            ...connection,
            slot: config.slot,
            publication: config.publication,
            outbox,
            failover: config.failoverSlot,
            statusIntervalMs: config.statusIntervalMs,
            walSenderTimeoutMs: config.walSenderTimeoutMs,
            onNotice: (notice) => {
              if (notice.kind === 'server-silent') readiness.serverSilent(notice.silentMs);
              logNotice(notice);
            },
          }),
          publisher: new KafkaPublisher({
            connection: kafka,
            eventTypes: eventTypes.values(),
            compression: config.kafkaCompression,
            delivery: config.delivery,
            deadLetters,
            log: limitedKafkaLog(logger, { everyMs: 10_000, nowMs: () => systemClock.nowMs() }),
            onAsked: (error) => readiness.kafkaAsked(error),
            onWaiting: (error, attempt, lanes) => observer.sendFailed(error, attempt, lanes),
          }),
          eventTypes,
          clock: systemClock,
          random: Math.random,
          settings: {
            outbox,
            limits: { ...defaultSendLimits, recordsPerSend: config.recordsPerSend },
            maxInFlightBytes: config.maxInFlightBytes,
            drainMs: config.drainMs,
            stallLimitMs: config.stallLimitMs,
            skipEvents: new Set(config.skipEvents ?? []),
            deadLetters,
            onPoison: config.poison,
            valuePrefixes,
          },
          observer,
          failPoint: failPointFrom(config.failPoint),
        },
        signal,
      );
      return 0;
    } catch (thrown) {
      const error = toRelayError(thrown);
      logger.fatal(
        {
          component: 'relay',
          code: error.code,
          eid: error.eid,
          remedy: error.recovery.remedy,
          error,
        },
        'the relay stopped and needs a person',
      );
      process.stderr.write(`relay: ${error.code}: ${error.message}. ${error.recovery.remedy}\n`);
      return error.recovery.exitCode;
    }
  },
  // After the drain: connections are given up, which is bounded too.
  { logger, deadlineMs: config.drainMs + closingMs },
);
