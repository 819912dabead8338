import { subscribe, type Subscription } from '@outbound/consumer';
import { quietLogger } from '@outbound/service-kit';
import { connectionTo } from '../../support/read-topics.ts';
import type { TestPipeline } from '../../support/test-pipeline.ts';
import { entityChange } from './soak-event.ts';

/** A subscriber that follows the change topic for the whole soak, and notes what it was given of each key. */
export class Follower {
  /** The highest version of each key. */
  readonly highest = new Map<string, number>();
  /** Events that came again. */
  repeated = 0;
  /** What was lost or out of order for it, and how it ended where it did by itself. */
  readonly faults: string[] = [];
  #subscription: Subscription | undefined;

  /** Comes back when it is a member of its group. */
  static async start(pipeline: TestPipeline): Promise<Follower> {
    const follower = new Follower();
    const subscription = await subscribe({
      connection: connectionTo(pipeline.stack.kafka.bootstrap, 'soak-follower'),
      groupId: `${pipeline.topicPrefix}soak`,
      topic: pipeline.topic('catalog.product-change'),
      eventType: entityChange,
      log: quietLogger(),
      from: 'beginning',
      handle: async ({ key, version }) => {
        follower.#take(key, version ?? NaN);
        return Promise.resolve();
      },
    });
    subscription.done.catch((error: unknown) => {
      follower.faults.push(`the subscriber ended by itself: ${String(error)}`);
    });
    follower.#subscription = subscription;
    return follower;
  }

  async stop(): Promise<void> {
    await this.#subscription?.stop();
  }

  #take(key: string, version: number): void {
    const highest = this.highest.get(key) ?? 0;
    if (version <= highest) {
      this.repeated += 1;
      return;
    }
    if (version !== highest + 1)
      this.faults.push(`the subscriber was given version ${version} of ${key} after ${highest}`);
    this.highest.set(key, version);
  }
}
