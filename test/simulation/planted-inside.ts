import { AckTracker } from '../../services/relay/src/ack/ack-tracker.ts';
import { Lane } from '../../services/relay/src/kafka/lanes.ts';
import { messageKind } from '../../services/relay/src/wal/pgoutput.ts';
import { TransactionAssembler } from '../../services/relay/src/wal/transaction-assembler.ts';
import { StuckLanes } from '../../services/relay/src/kafka/stuck-lanes.ts';
import { TailGate } from '../../services/relay/src/kafka/tail-gate.ts';
import { RefutedTails, type Tail } from '../../services/relay/src/kafka/tail.ts';
import { comparePositions } from '../../services/relay/src/wal/source-position.ts';
import { StallGuard } from '../../services/relay/src/stall-guard.ts';
import { Tuple } from '../../services/relay/src/wal/tuple.ts';
import { laneKey } from '../../services/relay/src/kafka/publisher.ts';

/** Runs something while a defect is inside the relay's own code. */
export type Within = <T>(run: () => Promise<T>) => Promise<T>;

/** Puts methods of a class in the place of its own, which they may call, while something runs. */
function patched<Methods extends object>(
  prototype: Methods,
  change: (own: Methods) => Partial<Methods>,
): Within {
  return async (run) => {
    const kept = Object.getOwnPropertyDescriptors(prototype);
    // Own methods, not the patched ones: what is put in place of one must not call itself.
    const own = Object.create(Object.getPrototypeOf(prototype) as object, kept) as Methods;
    Object.assign(prototype, change(own));
    try {
      return await run();
    } finally {
      Object.defineProperties(prototype, kept);
    }
  };
}

/** Copies of a row's bytes are views of the source's buffer. */
export const viewsKept: Within = (run) => {
  let source: Buffer = Buffer.alloc(0);
  return patched(Tuple.prototype, (own) => ({
    read(this: Tuple, bytes: Buffer, offset: number) {
      source = bytes;
      return own.read.call(this, bytes, offset);
    },
    copyBytes(this: Tuple, column: number) {
      const copy = own.copyBytes.call(this, column);
      const at = copy ? source.indexOf(copy) : -1;
      return copy && at >= 0 ? source.subarray(at, at + copy.length) : copy;
    },
  }))(run);
};

/** Each tail is taken for met, whatever the log has. */
export const anyTailBelieved = patched(TailGate.prototype, (own) => ({
  open(this: TailGate, tails, bounds, queued) {
    for (const { position, eid } of tails.values()) own.leftOut.call(this, position, eid);
    own.open.call(this, tails, { ...bounds, flushedLsn: (1n << 63n) as never }, queued);
  },
}));

const tailsOf = new WeakMap<TailGate, ReadonlyMap<string, Tail>>();

/** A tail is met by whatever event stands at its position. */
export const positionBelieved = patched(TailGate.prototype, (own) => ({
  open(this: TailGate, tails, bounds, queued) {
    tailsOf.set(this, tails);
    own.open.call(this, tails, bounds, queued);
  },
  admits(this: TailGate, record, transaction) {
    const tail = tailsOf.get(this)?.get(laneKey(record.topic, record.partition));
    if (tail && comparePositions(tail.position, record.position) === 0)
      own.leftOut.call(this, tail.position, tail.eid);
    return own.admits.call(this, record, transaction);
  },
}));

/** What is withheld does not hold the slot. */
export const withheldAcknowledged = patched(TailGate.prototype, (own) => ({
  admits(this: TailGate, record, transaction) {
    const before = this.withheld;
    const isWanted = own.admits.call(this, record, transaction);
    if (before === 0 && this.withheld === 1) transaction.undelivered -= 1;
    return isWanted;
  },
}));

/** What was refuted is believed again by the next session. */
export const refutedForgotten = patched(RefutedTails.prototype, () => ({ has: () => false }));

/** Nobody asks who holds the slot when the older producers have been fenced. */
export const slotNotProven = patched(StallGuard.prototype, () => ({ doubt: () => undefined }));

/** A delivered transaction takes the undelivered one before it along. */
export const holeAcknowledged = patched(AckTracker.prototype, (own) => ({
  delivered(this: AckTracker, transaction, count) {
    const { previous } = transaction;
    own.delivered.call(this, transaction, count);
    const isDone = transaction.undelivered === 0 && transaction.endLsn !== undefined;
    if (isDone && previous && previous.undelivered > 0)
      own.delivered.call(this, previous, previous.undelivered);
  },
}));

/** A stall is measured by the monotonic clock alone. */
export const sleepOverlooked = patched(StallGuard.prototype, (own) => ({
  observe(this: StallGuard, { nowMs }) {
    own.observe.call(this, { nowMs, wallMs: nowMs });
  },
}));

/** What a broker has refused goes again behind what came later. */
export const refusedLast = patched(Lane.prototype, (own) => ({
  refuse(this: Lane, batch, named) {
    const atFault = own.refuse.call(this, batch, named);
    if (atFault.length > 0) return atFault;
    const later: Parameters<Lane['push']>[] = [];
    own.sift.call(this, (record, transaction) => {
      const isRefused = batch.records.includes(record);
      if (isRefused) later.push([record, transaction]);
      return !isRefused;
    });
    for (const each of later) own.push.call(this, ...each);
    return atFault;
  },
}));

/** The rows of a transaction come out last first. */
export const rowsReversed: Within = (run) => {
  const rows = new WeakMap<TransactionAssembler, Buffer[]>();
  return patched(TransactionAssembler.prototype, (own) => ({
    read(this: TransactionAssembler, bytes: Buffer) {
      const kind = messageKind(bytes);
      const held = rows.get(this) ?? [];
      if (kind === 'insert') {
        rows.set(this, [Buffer.from(bytes), ...held]);
        return;
      }
      if (kind === 'commit') {
        rows.delete(this);
        for (const row of held) own.read.call(this, row);
      }
      own.read.call(this, bytes);
    },
  }))(run);
};

/** No partition is ever told as stuck. */
export const noneStuck = patched(StuckLanes.prototype, () => ({ failed: () => undefined }));
