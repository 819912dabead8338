import type { KafkaLog } from '@outbound/service-kit';
import type { KafkaError } from '../kafka-error.ts';
import type { MemberFacts, MemberState } from './member-state.ts';

/** Tells where the member stands: at each change, and after each rebalance. */
export class StateTeller {
  readonly #facts: () => MemberFacts;
  readonly #onState: ((state: MemberState, facts: MemberFacts) => void) | undefined;
  readonly #logger: KafkaLog;
  #state: MemberState = 'joining';
  #told: MemberState | undefined;
  #isWaiting = false;

  constructor(
    facts: () => MemberFacts,
    {
      onState,
      logger,
    }: {
      readonly onState?: (state: MemberState, facts: MemberFacts) => void;
      readonly logger: KafkaLog;
    },
  ) {
    this.#facts = facts;
    this.#onState = onState;
    this.#logger = logger;
  }

  set(state: MemberState): void {
    this.#state = state;
    this.#tell();
  }

  /** @param error why the coordinator is waited for; undefined: it answers. */
  waiting(error: KafkaError | undefined): void {
    const isWaiting = error !== undefined;
    if (isWaiting === this.#isWaiting) return;
    this.#isWaiting = isWaiting;
    if (error) this.#logger.warn({}, `waiting for the coordinator: ${error.message}`);
    this.#tell();
  }

  #tell(): void {
    const isGoing = this.#state !== 'stopping' && this.#state !== 'stopped';
    const state = this.#isWaiting && isGoing ? 'waiting' : this.#state;
    if (state === this.#told && state !== 'running') return;
    this.#told = state;
    this.#onState?.(state, this.#facts());
  }
}
