import { startKafka, type KafkaCluster } from '@outbound/local-stack';

/** Three brokers that take a dead or hung one for dead within seconds, and clean compacted topics at once. */
export async function startReaderCluster(): Promise<KafkaCluster> {
  return startKafka({
    brokers: 3,
    settings: {
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      'replica.lag.time.max.ms': '3000',
      // Compaction is to happen while it is watched: 15 s by default.
      'log.cleaner.backoff.ms': '300',
      // Timed segments are rolled at this interval: 5 minutes by default.
      'log.retention.check.interval.ms': '1000',
    },
  });
}
