import { deadLetterTopics, declaredTopics, withTopicPrefix } from '@outbound/contract';
import {
  createLogger,
  kafkaConnection,
  kafkaSettings,
  PipelineError,
  readConfig,
} from '@outbound/service-kit';
import { z } from 'zod';
import { configPrefix, configSchema } from './config.ts';
import { RelayError, recoveries, toRelayError } from './errors.ts';
import { loadEventTypes } from './event-types-module.ts';
import { provisionTopics } from './kafka/topic-provision.ts';
import { provisionReport } from './kafka/topic-report.ts';

/**
 * `provision`: creates the topics that are declared and missing, and prints what it did. Exit code 0; 31 if a topic differs from its
 * declaration (nothing is altered); else the exit code of the error (docs/errors.md).
 */
async function provision(): Promise<number> {
  // The relay's other settings may be in the same environment, and are not judged here.
  const ours = Object.entries(process.env).filter(([name]) =>
    /^RELAY_(KAFKA_|TOPIC_PREFIX|EVENT_TYPES)/.test(name),
  );
  const schema = z.object({
    ...kafkaSettings('outbound-relay'),
    eventTypes: configSchema.shape.eventTypes,
  });
  const settings = readConfig(configPrefix, schema, Object.fromEntries(ours));
  const connection = kafkaConnection(settings, {
    prefix: configPrefix,
    env: process.env,
  });
  const eventTypes = await loadEventTypes(settings.eventTypes);
  const { deadLetters, parkedKeys } = deadLetterTopics(settings.topicPrefix);
  const declared = [
    ...declaredTopics(withTopicPrefix(eventTypes, settings.topicPrefix).values()),
    deadLetters,
    parkedKeys,
  ];
  const log = createLogger({ service: 'provision', level: 'error' });
  const plan = await provisionTopics(connection, declared, log);
  process.stdout.write(`${provisionReport(declared, plan)}\n`);
  return plan.drift.length > 0 ? recoveries.SINK_TOPIC_MISMATCH.exitCode : 0;
}

try {
  process.exitCode = await provision();
} catch (thrown) {
  if (thrown instanceof PipelineError && !(thrown instanceof RelayError)) {
    process.stderr.write(`${thrown.code}: ${thrown.message}\n`);
    process.exitCode = recoveries.CONFIG_INVALID.exitCode;
  } else {
    const { code, message, recovery } = toRelayError(thrown);
    process.stderr.write(`${code}: ${message}\n${recovery.remedy}\n`);
    process.exitCode = recovery.exitCode;
  }
}
