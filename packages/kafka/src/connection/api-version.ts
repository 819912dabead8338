import { KafkaError } from '../kafka-error.ts';
import type { VersionRange } from './kafkajs-internals.ts';

/**
 * The version in which a broker is asked: the first of ours that it takes. Each kind of request has its own, so that
 * one new or old kind does not decide for all.
 * @param ours the best first, without gaps.
 * @throws KafkaError KAFKA_UNSUPPORTED with both ranges if there is none.
 */
export function commonVersion(
  { name, versions }: { readonly name: string; readonly versions: readonly number[] },
  theirs: VersionRange | undefined,
  broker: string,
): number {
  const version = versions.find(
    (each) => theirs && each >= theirs.minVersion && each <= theirs.maxVersion,
  );
  if (version !== undefined) return version;
  const taken = theirs
    ? `takes ${name} ${theirs.minVersion} to ${theirs.maxVersion}`
    : `does not take ${name} at all`;
  const spoken =
    versions.length === 1
      ? `version ${versions[0]}`
      : `versions ${Math.min(...versions)} to ${Math.max(...versions)}`;
  throw new KafkaError(
    'KAFKA_UNSUPPORTED',
    `broker ${broker} ${taken}, and we speak ${spoken}: Kafka 3.0 to 4.x is known to work`,
  );
}
