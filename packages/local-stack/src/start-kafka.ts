import { chooseForm } from './choose-form.ts';
import type { KafkaCluster, KafkaOptions } from './kafka-cluster.ts';
import { startEmbeddedKafka } from './processes/kafka/embedded-kafka.ts';

/** Starts Kafka and comes back when every broker knows all of them. @throws StackError saying what is missing or the end of a log. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  if ((await chooseForm(options.form)) === 'processes') return startEmbeddedKafka(options);
  // testcontainers takes half a second to load, so only where it is needed.
  const { startContainerKafka } = await import('./containers/container-kafka.ts');
  return startContainerKafka(options);
}
