import type { KafkaReads } from '@outbound/kafka';
import type { Clock } from '@outbound/service-kit';
import type { DeadLetterSender } from '../dead-letters/dead-letter-sender.ts';
import type { RedrivePort } from '../dead-letters/redrive-port.ts';

/** What a subscription stands on; the simulation gives other ones. */
export interface SubscriptionPorts {
  readonly kafka: KafkaReads;
  readonly clock: Clock;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  /** Where dead letters go, if the options say so. */
  readonly deadLetters?: DeadLetterSender;
  /** What people want to be done with dead letters; without it nothing is. */
  readonly redrive?: RedrivePort;
  /** Closes what was opened for this subscription alone; at its end. */
  readonly close?: () => Promise<void>;
}
