import { durationText } from '@outbound/service-kit';
import type { RelayError } from './errors.ts';
import { laneKey } from './kafka/publisher.ts';
import { StuckLanes } from './kafka/stuck-lanes.ts';
import type { RelayObserver, RelayState, SessionGauges } from './relay-observer.ts';

/** Partitions that a sentence names. */
const namedLanes = 3;

export interface ReadinessCheck {
  readonly ok: boolean;
  readonly detail: string;
}

/**
 * What readiness says, from what was observed last (I11): a standby is ready (it can take over), a relay that cannot reach
 * Postgres or Kafka is not, and nothing is assumed before it was seen. Kafka is judged by what became of the last send, by partitions that take nothing while others do, and, since
 * an idle relay sends nothing, whether the cluster answers the question that is asked every some seconds.
 */
export class Readiness {
  #state: RelayState = 'connecting';
  /** Who is active instead, by the last answer. */
  #waitsFor: string | undefined;
  /** Why there is no session, if an error ended the last one. */
  #cause: string | undefined;
  #sends: ReadinessCheck = { ok: false, detail: 'not asked yet' };
  /** Why the cluster did not answer when it was asked last. */
  #unanswered: string | undefined;
  #refutedLanes = new Set<string>();
  /** For how long the server has been working without a word. */
  #silentMs: number | undefined;
  #gauges: (() => SessionGauges) | undefined;
  readonly #stuck: StuckLanes;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#stuck = new StuckLanes(nowMs);
  }

  readonly observer: Pick<
    RelayObserver,
    | 'stateChanged'
    | 'waits'
    | 'sessionStarted'
    | 'sessionEnded'
    | 'batchDelivered'
    | 'sendFailed'
    | 'tailsRefuted'
  > = {
    stateChanged: (state) => {
      this.#state = state;
    },
    waits: (reason) => {
      this.#waitsFor = reason.message;
    },
    sessionStarted: (gauges) => {
      this.#gauges = gauges;
      this.#cause = undefined;
      this.#silentMs = undefined;
      this.#unanswered = undefined;
      this.#sends = { ok: true, detail: 'producer open' };
      this.#stuck.clear();
    },
    sessionEnded: (error) => {
      this.#gauges = undefined;
      this.#stuck.clear();
      if (!error) return;
      this.#cause = error.code;
      this.#sends = { ok: false, detail: `session ended: ${error.code}` };
    },
    batchDelivered: ({ topic, partition }) => {
      this.#unanswered = undefined;
      this.#stuck.confirmed(laneKey(topic, partition));
      if (!this.#sends.ok) this.#sends = { ok: true, detail: 'records confirmed' };
    },
    sendFailed: (error, attempt, lanes) => {
      this.#stuck.failed(lanes, error.code, attempt);
      this.#sends = { ok: false, detail: `${error.code}, attempt ${attempt + 1}` };
    },
    tailsRefuted: (refuted) => {
      for (const { lane } of refuted) this.#refutedLanes.add(lane);
    },
  };

  /** The server decodes, and has sent nothing for so long; undefined: it sends. */
  serverSilent(silentMs: number | undefined): void {
    this.#silentMs = silentMs;
  }

  /** The cluster was asked whether it is there: undefined if it answered, else why not. */
  kafkaAsked(error: RelayError | undefined): void {
    this.#unanswered = error?.code;
  }

  /** Another relay holds the slot. */
  get isStandby(): boolean {
    return this.#state === 'standby';
  }

  get relay(): ReadinessCheck {
    const ok = this.#state === 'streaming' || this.#state === 'standby';
    const details = [this.#stateInWords()];
    const { size } = this.#refutedLanes;
    if (size > 0)
      details.push(
        `since its start ${size} partitions were found to hold events that this database does not have: outbound verify --repair`,
      );
    const parked = this.#gauges?.().parkedKeys;
    if (parked && parked.size > 0)
      details.push(
        `parked keys: ${Array.from(parked, ([code, keys]) => `${keys} by ${code}`).join(', ')}; see outbound dead-letters`,
      );
    return { ok, detail: details.join('; ') };
  }

  get kafka(): ReadinessCheck {
    if (this.#state === 'standby') return { ok: true, detail: 'not used while standby' };
    if (this.#unanswered !== undefined && this.#sends.ok)
      return { ok: false, detail: `${this.#unanswered}: no broker answers` };
    if (!this.#stuck.isEmpty) return { ok: false, detail: this.#stuckInWords() };
    return this.#sends;
  }

  /** Not what failed last but what takes nothing, so that it does not alternate with what other partitions take. */
  #stuckInWords(): string {
    const stuck = this.#stuck.list();
    const named = stuck.slice(0, namedLanes).map(({ lane }) => lane);
    const more = stuck.length > namedLanes ? ` and ${stuck.length - namedLanes} more` : '';
    const [first] = stuck;
    const since = durationText(first?.seconds ?? 0);
    const which =
      stuck.length === 1
        ? `${named.join()} takes nothing for ${since}`
        : `${named.join(', ')}${more} take nothing, the first for ${since}`;
    return `${first?.code}, attempt ${(first?.attempt ?? 0) + 1}: ${which}${this.#sends.ok ? '; others confirm' : ''}`;
  }

  #stateInWords(): string {
    if (this.#state === 'standby' && this.#waitsFor !== undefined)
      return `standby: ${this.#waitsFor}`;
    if (this.#state === 'recovering' && this.#cause !== undefined)
      return `recovering: ${this.#cause}`;
    if (this.#state === 'streaming' && this.#silentMs !== undefined)
      return `streaming; the server decodes, nothing sent for ${Math.round(this.#silentMs / 1000)} s`;
    return this.#state;
  }
}
