import type { RelayObserver, RelayState } from './relay-observer.ts';

export interface ReadinessCheck {
  readonly ok: boolean;
  readonly detail: string;
}

/**
 * What readiness says, from what was observed last (I11): a standby is ready (it can take over), a relay that cannot reach
 * Postgres or Kafka is not, and nothing is assumed before it was seen.
 */
export class Readiness {
  #state: RelayState = 'connecting';
  #refutedLanes = new Set<string>();
  #kafka: ReadinessCheck = { ok: false, detail: 'not asked yet' };

  readonly observer: Pick<
    RelayObserver,
    | 'stateChanged'
    | 'sessionStarted'
    | 'sessionEnded'
    | 'batchDelivered'
    | 'sendFailed'
    | 'tailsRefuted'
  > = {
    stateChanged: (state) => {
      this.#state = state;
      if (state === 'standby') this.#kafka = { ok: true, detail: 'not used while standby' };
    },
    sessionStarted: () => {
      this.#kafka = { ok: true, detail: 'producer open' };
    },
    sessionEnded: (error) => {
      if (error) this.#kafka = { ok: false, detail: `session ended: ${error.code}` };
    },
    batchDelivered: () => {
      if (!this.#kafka.ok) this.#kafka = { ok: true, detail: 'records confirmed' };
    },
    sendFailed: (error, attempt) => {
      this.#kafka = { ok: false, detail: `${error.code}, attempt ${attempt + 1}` };
    },
    tailsRefuted: (refuted) => {
      for (const { lane } of refuted) this.#refutedLanes.add(lane);
    },
  };

  get relay(): ReadinessCheck {
    const ok = this.#state === 'streaming' || this.#state === 'standby';
    const { size } = this.#refutedLanes;
    if (size === 0) return { ok, detail: this.#state };
    return {
      ok,
      detail: `${this.#state}; since its start ${size} partitions were found to hold events that this database does not have: outbound verify --repair`,
    };
  }

  get kafka(): ReadinessCheck {
    return this.#kafka;
  }
}
