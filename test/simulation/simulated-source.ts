import { RelayError } from '../../services/relay/src/errors.ts';
import type {
  ChangeListener,
  ChangeSource,
  ChangeStream,
} from '../../services/relay/src/wal/change-source.ts';
import type { Life } from './life.ts';
import type { MemoryLedger } from './memory-ledger.ts';
import type { PgoutputEncoder } from './pgoutput-encoder.ts';
import type { SimulatedPostgres } from './simulated-postgres.ts';
import { SimulatedStream } from './simulated-stream.ts';

/** The in-memory `ChangeSource`: the relay's end of connections to a simulated server, within one process's life. */
export class SimulatedSource implements ChangeSource {
  readonly #postgres: SimulatedPostgres;
  readonly #life: Life;
  readonly #encoder: PgoutputEncoder;
  readonly #memory: MemoryLedger | undefined;

  constructor(
    postgres: SimulatedPostgres,
    life: Life,
    encoder: PgoutputEncoder,
    memory?: MemoryLedger,
  ) {
    this.#postgres = postgres;
    this.#life = life;
    this.#encoder = encoder;
    this.#memory = memory;
  }

  open(listener: ChangeListener): Promise<ChangeStream> {
    const postgres = this.#postgres;
    const { scheduler, chance, identity } = postgres;
    return new Promise((resolve, reject) => {
      const answer = (run: () => void): void => {
        scheduler.after(chance.between(0.5, 20), () => this.#life.deliver('postgres', run));
      };
      if (!this.#life.act()) return;
      scheduler.after(chance.between(0.5, 20), () => {
        // The question was under way when its process died: nobody is at the other end to take the slot for.
        if (this.#life.isDead) return;
        if (!postgres.isUp)
          return answer(() => reject(new RelayError('SOURCE_CONNECTION_LOST', 'no server there')));
        const stream = new SimulatedStream(
          postgres,
          this.#life,
          this.#encoder,
          listener,
          this.#memory,
        );
        this.#memory?.opened();
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
