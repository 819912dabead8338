import {
  judgeWal,
  LineLimit,
  TransactionAge,
  WalGrowth,
  walText,
  type Clock,
  type Logger,
  type WalBudget,
  type WalState,
  type WalVerdict,
} from '@outbound/service-kit';
import { toRelayError } from './errors.ts';
import type { ReadinessCheck } from './readiness.ts';
import type { SlotQuestion } from './wal/slot-question.ts';

const pollMs = 5000;
/** A server that cannot be asked is told of once a minute. */
const repeatMs = 60_000;
/** Many steps of restart_lsn, which the server moves every 15 seconds or so, and little enough to be the present. */
const growthWindow = { windowMs: 300_000, leastMs: 10_000 };

export interface SlotMonitorOptions {
  readonly question: SlotQuestion;
  readonly slot: string;
  readonly budget: WalBudget;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What was just learned. */
  readonly onVerdict: (verdict: WalVerdict) => void;
}

/**
 * What readiness says of the slot. A warning is ready. An alarm is not: a person has to act while there is time. That is readiness and never
 * liveness, since a restart frees no log. A standby holds no log, and is the way in for a relay that is repaired: it is ready in the alarm too, or a
 * rollout would wait for ever for what only the rollout can end. Unknown is ready for nobody (I11).
 */
export function slotReadiness(
  verdict: WalVerdict | undefined,
  { isStandby }: { readonly isStandby: boolean },
): ReadinessCheck {
  const judged = verdict ?? judgeWal(undefined, undefined, noBudget);
  const { state } = judged;
  const ok = state === 'ok' || state === 'warn' || (state === 'alarm' && isStandby);
  return { ok, detail: walText(judged) };
}

const noBudget: WalBudget = { warnBytes: undefined, alarmBytes: undefined };

/** Asks Postgres about the slot every five seconds, beside the stream, until the signal aborts. Never rejects. */
export async function monitorSlot(options: SlotMonitorOptions, signal: AbortSignal): Promise<void> {
  const { question, clock, logger, slot, budget, onVerdict } = options;
  let told: WalState = 'ok';
  const growth = new WalGrowth(growthWindow);
  const age = new TransactionAge();
  const limit = new LineLimit({ everyMs: repeatMs, nowMs: () => clock.nowMs() });
  while (!signal.aborted) {
    try {
      const health = await question.ask();
      const nowMs = clock.nowMs();
      growth.observe(nowMs, health);
      const verdict = judgeWal(health && age.withAge(nowMs, health), growth.rate, budget);
      onVerdict(verdict);
      if (verdict.state !== told && verdict.state !== 'unknown') {
        told = verdict.state;
        logVerdict(logger, slot, verdict);
      }
    } catch (thrown) {
      const error = toRelayError(thrown);
      onVerdict(judgeWal(undefined, undefined, budget));
      const line = limit.admit(error.code);
      if (line)
        logger.warn(
          { component: 'slot', slot, code: error.code, error, ...line },
          'Postgres could not be asked about the slot',
        );
    }
    await clock.sleep(pollMs, signal);
  }
  question.close();
}

/** Each change of the state once: what it is, and what to do. */
function logVerdict(logger: Logger, slot: string, verdict: WalVerdict): void {
  const { state, health, holder, secondsLeft } = verdict;
  const level = state === 'ok' ? 'info' : state === 'warn' ? 'warn' : 'error';
  logger[level](
    {
      component: 'slot',
      slot,
      state,
      retainedBytes: health?.retainedBytes,
      ...verdict.thresholds,
      ...(secondsLeft !== undefined && Number.isFinite(secondsLeft)
        ? { secondsLeft: Math.round(secondsLeft) }
        : {}),
      ...(holder ? { cause: holder.cause, remedy: holder.remedy } : {}),
    },
    state === 'ok' ? 'the retained log is within its budget again' : walText(verdict),
  );
}
