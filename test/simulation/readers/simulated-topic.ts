import type { TopicFacts } from '@outbound/kafka';
import { SimulatedLog } from './simulated-log.ts';

/** One partition of one incarnation of a topic. */
export interface SimulatedPartition {
  /** Names it among all incarnations: `topic#2/0`. */
  readonly uid: string;
  readonly topic: string;
  readonly partition: number;
  readonly log: SimulatedLog;
  /** −1: it has none now. */
  leader: number;
  leaderEpoch: number;
  replicas: readonly number[];
  /** The end of the log when its leader took over: until the high watermark is there again, the end is not told (KIP-207). */
  epochStart: number;
  /** The furthest high watermark that ever was: what is below it is committed for good. */
  committedTo: number;
  /** Replicas fetch nothing: the high watermark stands still. */
  isReplicationStuck: boolean;
  /** With its topic: nobody can be asked for its records any more. */
  isDeleted: boolean;
}

/** A topic from its creation to its deletion; made again under the same name it is another one. */
export class SimulatedTopic {
  readonly name: string;
  readonly incarnation: number;
  readonly partitions: SimulatedPartition[] = [];
  isDeleted = false;
  /** Counts the changes, so that brokers never go back to an older description. */
  version = 0;

  constructor(name: string, incarnation: number) {
    this.name = name;
    this.incarnation = incarnation;
  }

  get id(): string {
    return `id-${this.name}-${this.incarnation}`;
  }

  add(leader: number, replicas: readonly number[]): void {
    const partition = this.partitions.length;
    this.partitions.push({
      uid: `${this.name}#${this.incarnation}/${partition}`,
      topic: this.name,
      partition,
      log: new SimulatedLog(),
      leader,
      leaderEpoch: 0,
      replicas,
      epochStart: 0,
      committedTo: 0,
      isReplicationStuck: false,
      isDeleted: false,
    });
  }

  /** As the controller would describe it now. */
  facts(): TopicFacts {
    return {
      topic: this.name,
      topicId: this.id,
      errorCode: 0,
      partitions: this.partitions.map(({ partition, leader, leaderEpoch, replicas }) => ({
        partition,
        leader,
        leaderEpoch,
        replicas: [...replicas],
      })),
    };
  }
}
