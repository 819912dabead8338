import type { Lsn } from '../../services/relay/src/wal/lsn.ts';
import type { SourceIdentity } from '../../services/relay/src/wal/source-position.ts';
import type { Chance } from './chance.ts';
import type { Scheduler } from './scheduler.ts';
import { WalLog } from './wal-log.ts';
import { WalSender, type WalReceiver } from './wal-sender.ts';

/** A copy of the data directory: what would be there after a crash at that moment. */
export interface DataCopy {
  readonly log: WalLog;
  readonly slotLsn: Lsn;
}

/** `dropped`: somebody dropped it. `lost`: the server has given it up, with the log that it needed. */
export type SlotState = 'there' | 'dropped' | 'lost';

/** One database server with one slot: what it has written, what it lets be read, and what a crash or a restore makes of both. */
export class SimulatedPostgres {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  #log = new WalLog();
  #timeline = 1;
  readonly #onConfirmed: (lsn: Lsn) => void;
  #confirmedLsn: Lsn;
  #persistedLsn: Lsn;
  #holder: WalSender | undefined;
  #isUp = true;
  /** In recovery: it answers, and takes no writes. */
  isStandby = false;
  #slot: SlotState = 'there';
  /** How often the server was started, or the slot was taken or made. */
  turns = 0;
  /** Probability that the connection for questions suffers what befalls the stream. */
  sharedFate = 0.5;
  /** Told when rows are on their way to a relay. */
  onRowsSent: (sender: WalSender) => void = () => undefined;
  /** Told when a relay has taken the slot. */
  onTaken: (sender: WalSender) => void = () => undefined;

  constructor(scheduler: Scheduler, chance: Chance, onConfirmed: (lsn: Lsn) => void) {
    this.scheduler = scheduler;
    this.chance = chance;
    this.#onConfirmed = onConfirmed;
    this.#confirmedLsn = this.log.endLsn;
    this.#persistedLsn = this.log.endLsn;
  }

  get log(): WalLog {
    return this.#log;
  }

  get identity(): SourceIdentity {
    return {
      systemIdentifier: '7412000000000000001',
      timeline: this.#timeline,
      database: 'shop',
      slot: 'outbound',
    };
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get slot(): SlotState {
    return this.#slot;
  }

  /** Whether transactions can commit. */
  get canWrite(): boolean {
    return this.#isUp && !this.isStandby;
  }

  /** The slot is gone, and who reads it is thrown out. */
  loseSlot(how: Exclude<SlotState, 'there'>): void {
    this.#slot = how;
    this.#holder?.end(true);
  }

  /** A slot that begins at the end of the log. */
  makeSlot(): void {
    this.turns += 1;
    this.#slot = 'there';
    this.confirm(this.#log.endLsn);
    this.#persistedLsn = this.#confirmedLsn;
  }

  get confirmedLsn(): Lsn {
    return this.#confirmedLsn;
  }

  get holder(): WalSender | undefined {
    return this.#holder;
  }

  /** Takes the slot, or gives undefined if it is held. */
  startReplication(receiver: WalReceiver): WalSender | undefined {
    if (this.#holder) return undefined;
    this.turns += 1;
    this.#holder = new WalSender(this, receiver);
    this.#holder.pump();
    this.onTaken(this.#holder);
    return this.#holder;
  }

  released(sender: WalSender): void {
    if (this.#holder === sender) this.#holder = undefined;
  }

  /** As `LogicalConfirmReceivedLocation`: never backwards. A slot that is gone confirms nothing. */
  confirm(lsn: Lsn): void {
    if (lsn <= this.#confirmedLsn || this.#slot !== 'there') return;
    this.#confirmedLsn = lsn;
    this.#onConfirmed(lsn);
  }

  /** Something was committed or written. */
  wrote(): void {
    this.#holder?.pump();
  }

  /** Only now does the slot's position survive a crash. */
  checkpoint(): void {
    this.#persistedLsn = this.#confirmedLsn;
  }

  crash(): void {
    this.#isUp = false;
    this.#holder?.end(true);
    this.#confirmedLsn = this.#persistedLsn;
  }

  start(): void {
    this.turns += 1;
    this.#isUp = true;
  }

  copy(): DataCopy {
    return { log: this.#log.fork(), slotLsn: this.#persistedLsn };
  }

  /** Brings a copy back, in the place of what is there: as the same server, or as one that was promoted and has a timeline of its own. */
  bringBack({ log, slotLsn }: DataCopy, isPromoted: boolean): void {
    this.crash();
    this.#log = log.fork();
    this.#confirmedLsn = slotLsn;
    this.#persistedLsn = slotLsn;
    if (isPromoted) this.#timeline += 1;
  }
}
