import type { KafkaLog } from '@outbound/service-kit';

/** For verbs whose failures are thrown: the connections' own warnings say nothing that a failure would not say. */
export const silentLog: KafkaLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
