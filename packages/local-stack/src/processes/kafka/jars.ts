import { jarSetClassPath, jarSetIsCached, type JarSet } from '../jar-set.ts';

/** Version of Kafka's brokers and tools, and of the Java clients that are tested against them. */
export const kafkaVersion = '4.3.1';

/** Broker and tools as they are on Maven Central, and the binding that gives them a log (Kafka's own distribution has the same one). */
const kafkaJars: JarSet = {
  name: `kafka-${kafkaVersion}`,
  what: `Apache Kafka ${kafkaVersion}`,
  artifacts: [
    ['org.apache.kafka', 'kafka_2.13', kafkaVersion],
    ['org.apache.kafka', 'kafka-tools', kafkaVersion],
    ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.25.4'],
  ],
};

/** Whether the jars are here already, so that Maven is not needed. */
export async function jarsAreCached(): Promise<boolean> {
  return jarSetIsCached(kafkaJars);
}

/** Kafka's class path, in an order that stays the same. Fetched with Maven once per machine. */
export async function kafkaClassPath(log: (line: string) => void): Promise<string> {
  return jarSetClassPath(kafkaJars, log);
}
