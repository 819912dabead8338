import { partitionKey, type KafkaReads } from '@outbound/kafka';
import type { Chance } from '../chance.ts';
import type { Life } from '../life.ts';
import type { Scheduler } from '../scheduler.ts';
import { assignedPartitions } from './consumer-protocol.ts';
import { kafkaCode } from './kafka-codes.ts';
import { Network } from './network.ts';
import { ReadersChecker } from './readers-checker.ts';
import { SimulatedCluster } from './simulated-cluster.ts';
import { SimulatedCoordinator } from './simulated-coordinator.ts';
import { SimulatedGroupPort } from './simulated-group-port.ts';
import { SimulatedTopicLog } from './simulated-topic-log.ts';

/** Codes by which a coordinator says that it does not take this member for one of its generation. */
const outCodes: ReadonlySet<number> = new Set([
  kafkaCode.illegalGeneration,
  kafkaCode.unknownMemberId,
  kafkaCode.fencedInstanceId,
]);

/** A cluster, one group and its checker, and the way of each process to them. */
export class GroupWorld {
  readonly cluster: SimulatedCluster;
  readonly network: Network;
  readonly coordinator: SimulatedCoordinator;
  readonly checker: ReadersChecker;
  readonly #chance: Chance;
  readonly #maxWaiting: number;

  constructor(
    scheduler: Scheduler,
    chance: Chance,
    options: {
      readonly from: 'beginning' | 'end';
      readonly initialDelayMs: number;
      /** Events that a reader may have fetched and not handled, of a partition, when it asks for more. */
      readonly maxWaiting: number;
      readonly trace: (what: string) => void;
    },
  ) {
    const { trace } = options;
    this.#chance = chance;
    this.#maxWaiting = options.maxWaiting;
    this.cluster = new SimulatedCluster(scheduler, chance.fork('cluster'), trace);
    this.network = new Network(this.cluster, chance.fork('network'));
    this.coordinator = new SimulatedCoordinator(this.cluster, chance.fork('coordinator'), options);
    const { group } = this.coordinator;
    this.checker = new ReadersChecker(
      {
        nowMs: () => scheduler.nowMs,
        partitions: () => this.cluster.incarnations.flatMap(({ partitions }) => partitions),
        otherOwner: (reader, at) =>
          group
            .shares()
            .find(
              (member) =>
                member.reader !== reader &&
                assignedPartitions(member.assignment).some(
                  (each) => partitionKey(each) === partitionKey(at),
                ),
            )?.reader,
      },
      options.from,
    );
    this.cluster.onBrokerGone = (broker) => {
      this.network.cutBroker(broker);
      this.coordinator.brokerGone(broker);
    };
    this.cluster.onDeleted = ({ name }) => this.coordinator.topicDeleted(name);
    group.onRemoved = (reader) => this.checker.thrownOut(reader);
    this.coordinator.onCommitted = ({ reader, partition, offset }) =>
      this.checker.committed(reader, partition, offset);
  }

  /** What this process has of Kafka. */
  reads(life: Life): KafkaReads & { readonly log: SimulatedTopicLog } {
    const { cluster, network, coordinator, checker } = this;
    const reader = life.name;
    const chance = this.#chance.fork(`reads ${reader}`);
    let memberNow = { memberId: '', generationId: -1 };
    return {
      log: new SimulatedTopicLog({
        cluster,
        network,
        life,
        chance: chance.fork('log'),
        watcher: {
          fetching: (positions) => {
            for (const { topic, partition, offset } of positions) {
              const found = cluster.topic(topic);
              const asked = found?.incarnation === 1 ? found.partitions[partition] : undefined;
              if (asked) checker.progress.fetching(reader, asked, Number(offset), this.#maxWaiting);
            }
          },
        },
      }),
      group: () =>
        new SimulatedGroupPort({
          cluster,
          network,
          coordinator,
          life,
          reader,
          chance: chance.fork('group'),
          watcher: {
            assigned: (member, assignment, sentMs) => {
              memberNow = member;
              checker.assigned(reader, assignedPartitions(assignment), sentMs);
            },
            alive: (member, sentMs) => {
              if (member.memberId === memberNow.memberId) checker.alive(reader, sentMs);
            },
            refused: (member, errorCode, isJoining) => {
              const isPresent =
                member.memberId === memberNow.memberId &&
                member.generationId === memberNow.generationId;
              const isNews = !isJoining || errorCode !== kafkaCode.illegalGeneration;
              if (isPresent && isNews && outCodes.has(errorCode)) checker.toldOut(reader);
            },
            committing: (member, entries) => {
              for (const { topic, partition, offset } of entries)
                checker.committing(reader, member.memberId, { topic, partition }, Number(offset));
            },
          },
        }),
      close: () => {
        network.cutLife(life);
        return Promise.resolve();
      },
    };
  }
}
