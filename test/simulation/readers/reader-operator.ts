import type { Chance } from '../chance.ts';
import type { ReaderControl } from './reader-control.ts';
import type { ReaderHost } from './reader-host.ts';
import type { ReadersChecker } from './readers-checker.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedPartition } from './simulated-topic.ts';

/** What people and programs ask of a subscription that runs. */
export const operatorActs = ['seek back', 'seek forward', 'pause partition'] as const;
export type OperatorAct = (typeof operatorActs)[number];

/** Asks running readers to seek and to pause at random, and has the checker watch. */
export class ReaderOperator {
  readonly #cluster: SimulatedCluster;
  readonly #checker: ReadersChecker;
  readonly #chance: Chance;
  readonly #trace: (what: string) => void;
  readonly #resumes = new Set<() => void>();

  constructor(parts: {
    readonly cluster: SimulatedCluster;
    readonly checker: ReadersChecker;
    readonly chance: Chance;
    readonly trace: (what: string) => void;
  }) {
    this.#cluster = parts.cluster;
    this.#checker = parts.checker;
    this.#chance = parts.chance;
    this.#trace = parts.trace;
  }

  /** Nothing if the reader is not there, or has nothing. */
  act(act: OperatorAct, { control, life }: ReaderHost): void {
    if (!control || life.isDead || life.isStopped) return;
    const ours = control.partitions();
    if (ours.length === 0) return;
    const at = this.#chance.pick(ours);
    const partition = this.#cluster.topic(at.topic)?.partitions[at.partition];
    if (!partition) return;
    if (act === 'pause partition') this.#pause(life.name, control, partition);
    else this.#seek(act, life.name, control, partition);
  }

  /** Whatever is paused goes on. */
  healAll(): void {
    for (const resume of this.#resumes) resume();
  }

  #pause(reader: string, control: ReaderControl, partition: SimulatedPartition): void {
    const { operator } = this.#checker;
    this.#trace(`${reader} is asked to pause ${partition.uid}`);
    control.pause([partition]);
    operator.paused(reader, partition, true);
    const resume = (): void => {
      if (!this.#resumes.delete(resume)) return;
      this.#trace(`${reader} is asked to go on with ${partition.uid}`);
      operator.paused(reader, partition, false);
      control.resume([partition]);
    };
    this.#resumes.add(resume);
    this.#cluster.scheduler.after(this.#chance.between(50, 6000), resume);
  }

  #seek(
    act: 'seek back' | 'seek forward',
    reader: string,
    control: ReaderControl,
    partition: SimulatedPartition,
  ): void {
    const { log, uid, committedTo } = partition;
    const middle = Math.max(
      log.startOffset,
      Math.min(this.#checker.progress.reached(partition), committedTo),
    );
    const offset =
      act === 'seek back'
        ? this.#chance.int(log.startOffset, middle)
        : this.#chance.int(middle, Math.max(middle, committedTo));
    this.#trace(`${reader} is asked to ${act} in ${uid} to ${offset}`);
    const { sought, refused } = this.#checker.seeking(reader, partition, offset);
    control.seek(partition, BigInt(offset)).then(
      () => {
        this.#trace(`${reader} goes on in ${uid} at ${offset}`);
        sought();
      },
      (reason: unknown) => {
        this.#trace(`${reader} does not seek: ${String(reason)}`);
        refused();
      },
    );
  }
}
