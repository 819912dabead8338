import { randomBytes } from 'node:crypto';

/** An id in Kafka's form: 16 bytes in URL-safe base 64. No leading dash, which Kafka's tools would take for an option. */
export function newKafkaId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newKafkaId() : id;
}
