import type { z } from 'zod';
import { settingName } from '../config.ts';
import { PipelineError } from '../errors.ts';
import { integerSetting } from '../setting.ts';

const mebibyte = 1024 * 1024;
/** The alarm where the server has no limit: far above what an hour's outage of Kafka keeps, far below a common disk. */
const unlimitedAlarmBytes = 10 * 1024 * mebibyte;
/** Shares of the server's limit. Above the last one an alarm would come with the loss, or after it. */
const alarmShare = 0.75;
const latestAlarmShare = 0.9;

/** How much log may be kept for the slot, as settings to spread into a program's schema. */
export const walBudgetSettings = () => ({
  walWarnBytes: integerSetting({ min: mebibyte })
    .optional()
    .describe(
      'Log that Postgres may keep for the slot before it is a warning; without it, half of what is an alarm',
    )
    .meta({ unit: 'bytes', example: '5368709120' }),
  walAlarmBytes: integerSetting({ min: mebibyte })
    .optional()
    .describe(
      'Log that Postgres may keep for the slot before it is an alarm; without it, three quarters of max_slot_wal_keep_size, or 10 GiB where that is not set. Never more than nine tenths of max_slot_wal_keep_size',
    )
    .meta({ unit: 'bytes', example: '8053063680' }),
});

/** What a person has said; the rest follows from the server's limit. */
export interface WalBudget {
  readonly warnBytes: number | undefined;
  readonly alarmBytes: number | undefined;
}

/**
 * The budget that the settings mean.
 * @throws PipelineError CONFIG_INVALID if the alarm would come before the warning.
 */
export function walBudget(
  settings: z.output<z.ZodObject<ReturnType<typeof walBudgetSettings>>>,
  { prefix }: { readonly prefix: string },
): WalBudget {
  const { walWarnBytes: warnBytes, walAlarmBytes: alarmBytes } = settings;
  if (warnBytes !== undefined && alarmBytes !== undefined && alarmBytes < warnBytes)
    throw new PipelineError(
      'CONFIG_INVALID',
      `${settingName(prefix, 'walAlarmBytes')} (${alarmBytes}) is below ${settingName(prefix, 'walWarnBytes')} (${warnBytes}): an alarm is more than a warning, so raise the first or lower the second`,
    );
  return { warnBytes, alarmBytes };
}

/** The sizes in force. `limitBytes`: what the server keeps at the most; undefined without a limit. */
export function walThresholds(
  budget: WalBudget,
  limitBytes: number | undefined,
): { readonly warnBytes: number; readonly alarmBytes: number } {
  const latest = limitBytes === undefined ? Infinity : limitBytes * latestAlarmShare;
  const usual = limitBytes === undefined ? unlimitedAlarmBytes : limitBytes * alarmShare;
  const alarmBytes = Math.min(budget.alarmBytes ?? Math.max(usual, budget.warnBytes ?? 0), latest);
  const warnBytes = Math.min(budget.warnBytes ?? alarmBytes / 2, alarmBytes);
  return { warnBytes: Math.round(warnBytes), alarmBytes: Math.round(alarmBytes) };
}
