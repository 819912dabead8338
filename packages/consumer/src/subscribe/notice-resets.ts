import type { KafkaLog } from '@outbound/service-kit';

/** How kafkajs 2.2.4 says, in its log and nowhere else, that what a group wanted to read next is not there any more and that it reads on from elsewhere. */
const resetMessage = 'Offset out of range, resetting to default offset';

/** The log for kafkajs, which also calls `onReset` when retention has overtaken the group: the events in between are lost to it, and nothing else would say so. */
export function noticeResets(log: KafkaLog, onReset: (fields: object) => void): KafkaLog {
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => {
      log.warn(fields, message);
      if (message === resetMessage) onReset(fields);
    },
    error: (fields, message) => log.error(fields, message),
  };
}
