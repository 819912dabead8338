import { toRelayError, type RelayError } from './errors.ts';
import type { PublisherSession } from './kafka/publisher.ts';
import type { KnownOfSource } from './known-of-source.ts';
import { Pipeline } from './pipeline.ts';
import { sendDelayMs } from './recovery-delay.ts';
import type { RelayParts } from './relay-parts.ts';
import { StallGuard, type Moment } from './stall-guard.ts';
import { unlessStopped } from './unless-stopped.ts';
import type { ChangeStream } from './wal/change-source.ts';

const heartbeatMs = 250;
/** How long a send that outlives its closed session is waited for: closing has rejected it, so that this is a matter of turns. */
const settleMs = 1000;

/**
 * One life of the relay: take the slot, fence older producers, stream until something ends it. Resolves when the signal aborted or the
 * producer had to be renewed; in both cases what was read is drained first, if it can be within `drainMs`.
 *
 * The order is the promise: the slot comes before the producer, so that only its holder fences; and the slot is given up after the
 * last send was answered or the session closed, so that a successor never meets our sends (what still arrives late, it fences).
 * `known` is what earlier sessions of this process have found out, and is added to.
 * @throws RelayError for every other end.
 */
export async function runSession(
  parts: RelayParts,
  known: KnownOfSource,
  signal: AbortSignal,
): Promise<void> {
  const { source, clock, settings, observer, failPoint } = parts;
  const ended = new SessionEnd();
  const now = (): Moment => ({ nowMs: clock.nowMs(), wallMs: clock.wallMs() });
  const guard = new StallGuard({
    limitMs: settings.stallLimitMs,
    at: now(),
    holdsSlot: () => stream.holdsSlot(),
  });
  let session: PublisherSession | undefined;
  const pipeline = new Pipeline(parts, {
    known,
    prove: async () => {
      guard.observe(now());
      await guard.prove();
    },
    onSendFailed: () => guard.failed(),
    onEnd: (reason) => ended.end(session?.mustRenew() && isSpent(reason) ? 'renew' : reason),
  });
  const opened = await unlessStopped(source.open(pipeline, signal), signal, clock, (late) =>
    late.close(),
  );
  if (!opened) return;
  const stream: ChangeStream = opened;
  guard.atMost(stream.heldForMs);
  // A standby has become the holder.
  observer.stateChanged('connecting');
  const finished = new AbortController();
  const stopped = AbortSignal.any([signal, ended.signal]);
  let heartbeat: Promise<void> | undefined;
  let isStarted = false;
  try {
    pipeline.attach(stream);
    failPoint('after-slot-before-publisher');
    session = await openPublisher(parts, stream, { signal, stopped });
    // A stream that has ended meanwhile can prove nothing; why it has ended is known.
    if (session && ended.reason === undefined) {
      failPoint('after-fence-before-send');
      const current = session;
      heartbeat = beat(parts, finished.signal, () => {
        guard.observe(now());
        if (current.mustRenew()) ended.end('renew');
      });
      // Our epoch is the newest now, so the slot has to be ours now: if it was lost unawares meanwhile, we would fence its holder and
      // leave older records behind newer ones. Fencing is in the order of holders only if possession is proven after it. And nobody is told
      // that we stream before it is: a connection that died while Kafka was opened is noticed late, if nothing is to be sent (I11).
      guard.doubt();
      await guard.prove();
      // After the tails were read: whatever any relay has published from this log was in it by then.
      const flushedLsn = await stream.flushedLsn();
      if (!stopped.aborted) {
        pipeline.start(session, flushedLsn);
        isStarted = true;
        observer.stateChanged('streaming');
        observer.sessionStarted(() => pipeline.gauges());
      }
      await aborted(stopped);
    }
    const reason = ended.reason;
    if (signal.aborted) observer.stateChanged('stopping');
    // Before the start nothing that was read can go out.
    if (
      isStarted &&
      (reason === undefined || reason === 'renew' || reason.recovery.action === 'halt')
    )
      await pipeline.drain(settings.drainMs);
    failPoint('after-drain-before-close');
    if (reason !== undefined && reason !== 'renew' && !signal.aborted) throw reason;
  } catch (thrown) {
    // What ended the stream comes first: what failed after it has failed because of it, and says nothing of the cause.
    const { reason } = ended;
    throw reason === undefined || reason === 'renew' || signal.aborted ? thrown : reason;
  } finally {
    finished.abort();
    pipeline.stop();
    await session?.close();
    // A send that outlives its closed session is left behind: the next session fences it.
    await Promise.race([pipeline.settled(), clock.sleep(Math.min(settleMs, settings.drainMs))]);
    await stream.close();
    await heartbeat;
  }
}

/** The producer had to be replaced anyway, and a send was sooner than the heartbeat: nothing has failed for which the next session would have to wait. */
function isSpent(reason: RelayError | 'renew'): boolean {
  return reason === 'renew' || reason.code === 'SINK_SESSION_BROKEN';
}

/** Why a session ended; the first reason stands. */
class SessionEnd {
  readonly #controller = new AbortController();
  reason: RelayError | 'renew' | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(reason: RelayError | 'renew'): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.#controller.abort();
  }
}

/** Opens the producer, again and again while Kafka can't be reached: the slot stays ours, Postgres keeps the log. Undefined if stopped meanwhile. */
async function openPublisher(
  parts: RelayParts,
  stream: ChangeStream,
  { signal, stopped }: { readonly signal: AbortSignal; readonly stopped: AbortSignal },
): Promise<PublisherSession | undefined> {
  for (let attempt = 0; !stopped.aborted; attempt += 1) {
    try {
      const opening = parts.publisher.open(stream.identity, stream.startLsn);
      return await unlessStopped(opening, signal, parts.clock, (late) => late.close());
    } catch (thrown) {
      const error = toRelayError(thrown);
      if (error.recovery.action !== 'retry') throw error;
      if (stopped.aborted) return undefined;
      parts.observer.sendFailed(error, attempt, []);
      await parts.clock.sleep(sendDelayMs(attempt, parts.random), stopped);
    }
  }
  return undefined;
}

async function beat(
  { clock }: RelayParts,
  finished: AbortSignal,
  onBeat: () => void,
): Promise<void> {
  while (!finished.aborted) {
    await clock.sleep(heartbeatMs, finished);
    onBeat();
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
}
