import { RelayError } from '../errors.ts';
import { judgeLiveness, silenceLimitMs } from './liveness.ts';
import { judgeSender, type SenderActivity } from './sender-life.ts';

/** Between two looks at a server that is silent. */
const lookAgainMs = 1000;

export interface SenderWatchOptions {
  /** 0 means none. */
  readonly walSenderTimeoutMs: number;
  /** Asks the server for an answer over the stream; gives when, or undefined if it can't be written. */
  readonly ask: () => number | undefined;
  /** Asks over another connection what the process that streams to us does. Rejects if the server can't be asked. */
  readonly activity: () => Promise<SenderActivity | undefined>;
  /** The connection is given up. Called once. */
  readonly onLost: (reason: RelayError) => void;
  /** The server works, and has sent nothing for so many ms; undefined: it sends again. */
  readonly onSilence: (silentMs: number | undefined) => void;
  readonly nowMs: () => number;
}

/**
 * Watches a stream's silence. A server that was asked and does not answer has vanished, or the way to it has, or it works without looking up: which, only
 * another connection can tell. It is given up when that one does not answer either, says that the process is gone, or has seen twice that it waits.
 */
export class SenderWatch {
  readonly #options: SenderWatchOptions;
  #heardMs: number;
  #askedMs: number | undefined;
  #lookedMs = -Infinity;
  /** How often in this silence the server was seen to wait. */
  #waits = 0;
  #isLooking = false;
  #isSilenceTold = false;
  #isPaused = false;
  #isStopped = false;

  constructor(options: SenderWatchOptions) {
    this.#options = options;
    this.#heardMs = options.nowMs();
  }

  /** Something came. */
  heard(): void {
    this.#heardMs = this.#options.nowMs();
    this.#waits = 0;
    if (!this.#isSilenceTold) return;
    this.#isSilenceTold = false;
    this.#options.onSilence(undefined);
  }

  /** While we do not read, silence says nothing; after it, the silence was ours. */
  pause(isPaused: boolean): void {
    if (this.#isPaused && !isPaused) this.heard();
    this.#isPaused = isPaused;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Called by a timer. */
  check(): void {
    const { walSenderTimeoutMs, ask, nowMs } = this.#options;
    if (this.#isStopped) return;
    const liveness = judgeLiveness(
      {
        heardMs: this.#heardMs,
        askedMs: this.#askedMs,
        isPaused: this.#isPaused,
        walSenderTimeoutMs,
      },
      nowMs(),
    );
    if (liveness === 'ask') this.#askedMs = ask();
    if (liveness !== 'lost' || this.#isLooking || nowMs() - this.#lookedMs < lookAgainMs) return;
    this.#isLooking = true;
    this.#look()
      .catch((cause: unknown) => {
        // A defect of ours: what is not known of the server is not taken for life.
        this.#lost(`and could not be judged (${String(cause)})`);
      })
      .finally(() => {
        this.#isLooking = false;
        this.#lookedMs = nowMs();
      })
      .catch(() => undefined);
  }

  async #look(): Promise<void> {
    const heardMs = this.#heardMs;
    const { activity, onSilence, nowMs } = this.#options;
    const life = await activity().then(judgeSender, () => 'mute' as const);
    if (this.#isStopped || this.#isPaused || this.#heardMs !== heardMs) return;
    switch (life) {
      case 'works':
        this.#waits = 0;
        this.#isSilenceTold = true;
        return onSilence(nowMs() - heardMs);
      case 'waits':
        // Its answer may be on the way.
        this.#waits += 1;
        if (this.#waits >= 2)
          this.#lost('although its process waits for us: the connection is broken');
        return;
      case 'gone':
        return this.#lost('and the process that streamed to us is gone');
      case 'mute':
        return this.#lost('and does not answer on another connection either');
    }
  }

  #lost(why: string): void {
    this.stop();
    const limitMs = 2 * silenceLimitMs(this.#options.walSenderTimeoutMs);
    this.#options.onLost(
      new RelayError(
        'SOURCE_CONNECTION_LOST',
        `Postgres was silent for ${limitMs} ms, although it was asked to answer, ${why}`,
      ),
    );
  }
}
