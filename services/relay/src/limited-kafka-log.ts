import { LineLimit, type KafkaLog } from '@outbound/service-kit';

/** The same log, whose warnings and errors come once in `everyMs` for each broker, topic and text: a broker that is away is met by every request. */
export function limitedKafkaLog(
  log: KafkaLog,
  { everyMs, nowMs }: { readonly everyMs: number; readonly nowMs: () => number },
): KafkaLog {
  const limit = new LineLimit({ everyMs, nowMs });
  const say =
    (level: 'warn' | 'error') =>
    (fields: object, message: string): void => {
      const { broker, topic, code } = fields as Partial<Record<string, unknown>>;
      const line = limit.admit(JSON.stringify([level, broker, topic, code, message]));
      if (line) log[level](line.heldBack > 0 ? { ...fields, ...line } : fields, message);
    };
  return {
    info: (fields, message) => log.info(fields, message),
    warn: say('warn'),
    error: say('error'),
  };
}
