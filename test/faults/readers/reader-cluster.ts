import { startKafka, type KafkaCluster } from '@outbound/local-stack';

/** Three brokers that take a dead or hung one for dead within seconds. */
export async function startReaderCluster(): Promise<KafkaCluster> {
  return startKafka({
    brokers: 3,
    settings: {
      'broker.session.timeout.ms': '3000',
      'broker.heartbeat.interval.ms': '500',
      'replica.lag.time.max.ms': '3000',
    },
  });
}
