import { RelayError, toRelayError } from '../../services/relay/src/errors.ts';
import type {
  ChangeListener,
  ChangeSource,
  ChangeStream,
} from '../../services/relay/src/wal/change-source.ts';
import { factsOf } from './simulated-facts.ts';
import { judgeFacts, type SimulatedStreamOptions } from './simulated-stream-options.ts';
import { SimulatedStream } from './simulated-stream.ts';

/** The in-memory `ChangeSource`: the relay's end of connections to a simulated server, within one process's life. */
export class SimulatedSource implements ChangeSource {
  readonly #options: SimulatedStreamOptions;

  constructor(options: SimulatedStreamOptions) {
    this.#options = options;
  }

  open(listener: ChangeListener): Promise<ChangeStream> {
    const { postgres, life, memory, judge = judgeFacts } = this.#options;
    const { scheduler, chance, identity } = postgres;
    return new Promise((resolve, reject) => {
      const answer = (run: () => void): void => {
        scheduler.after(chance.between(0.5, 20), () => life.deliver('postgres', run));
      };
      if (!life.act()) return;
      scheduler.after(chance.between(0.5, 20), () => {
        // The question was under way when its process died: nobody is at the other end to take the slot for.
        if (life.isDead) return;
        if (!postgres.isUp)
          return answer(() => reject(new RelayError('SOURCE_CONNECTION_LOST', 'no server there')));
        try {
          if (judge(factsOf(postgres)) === 'create') postgres.makeSlot();
        } catch (thrown) {
          return answer(() => reject(toRelayError(thrown)));
        }
        const stream = new SimulatedStream(this.#options, listener);
        memory?.opened();
        const sender = postgres.startReplication(stream);
        if (!sender)
          return answer(() => reject(new RelayError('SOURCE_SLOT_BUSY', 'the slot is held')));
        stream.attach(sender);
        const start = (): void => {
          if (stream.isEnded)
            return reject(new RelayError('SOURCE_CONNECTION_LOST', 'cut at once'));
          listener.opened(identity);
          stream.start();
          // One read's worth of messages may come before `open` has resolved.
          if (chance.happens(0.5)) answer(() => stream.opened(resolve));
          else stream.opened(resolve);
        };
        answer(start);
      });
    });
  }
}
