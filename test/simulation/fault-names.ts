/** Faults of relays, Postgres and the connections between them. */
const sourceFaultNames = [
  'kill relay',
  'kill relay between two acts',
  'stop relay',
  'suspend relay',
  'set the clock',
  'terminate relay',
  'cut connection',
  'blackhole connection',
  'half-open connection',
  'half-open connection while opening',
  'be overtaken while opening',
  'crash postgres',
  'postgres in recovery',
  'bring back a copy',
  'cut a repetition short',
  'sleep on a row',
] as const;

/** Faults of brokers and of the network before them. */
const kafkaFaultNames = [
  'kill broker',
  'hang broker',
  'slow broker',
  'kafka outage',
  'move leaders',
  'too few replicas',
  'lose answers',
  'lose requests',
  'delay requests',
  'omit partitions',
  'hide tails',
  'foreign record',
  'followers behind',
  'retention',
  'trouble the coordinator',
] as const;

export const faultNames = [...sourceFaultNames, ...kafkaFaultNames] as const;

export type KafkaFaultName = (typeof kafkaFaultNames)[number];

export type FaultName = (typeof faultNames)[number];

/** Whether it is one of brokers. */
export function isKafkaFault(fault: FaultName): fault is KafkaFaultName {
  return kafkaFaultNames.some((name) => name === fault);
}

/** Faults that go badly together: two relays of which neither knows that the other has the slot, and requests that come late. */
export const takeoverFaults = [
  'be overtaken while opening',
  'be overtaken while opening',
  'half-open connection while opening',
  'half-open connection while opening',
  'blackhole connection',
  'stop relay',
  'delay requests',
  'delay requests',
] as const satisfies readonly FaultName[];

/** Faults by which sessions follow one another, each with requests of the one before still under way. */
export const epochFaults = [
  'kill relay',
  'kill relay',
  'kill relay between two acts',
  'be overtaken while opening',
  'delay requests',
  'delay requests',
] as const satisfies readonly FaultName[];

/** Faults by which the database is of another history, with tails that are decided in many ways. */
export const restoreFaults = [
  'bring back a copy',
  'bring back a copy',
  'kill relay between two acts',
  'kafka outage',
  'kafka outage',
  'move leaders',
] as const satisfies readonly FaultName[];

/** Faults by which records come again that are there already, and are cut off in the midst of it. */
export const repetitionFaults = [
  'cut a repetition short',
  'kill relay between two acts',
  'foreign record',
] as const satisfies readonly FaultName[];

/** Faults by which a topic does not show what it has, or has it no more. */
export const topicFaults = [
  'followers behind',
  'followers behind',
  'followers behind',
  'retention',
  'move leaders',
  'kill relay between two acts',
  'kill relay',
  'trouble the coordinator',
] as const satisfies readonly FaultName[];

/** Faults by which a machine sleeps for so long that all the others have forgotten it. */
export const sleepFaults = [
  'sleep on a row',
  'sleep on a row',
  'set the clock',
  'kill relay',
] as const satisfies readonly FaultName[];

/** Faults by which the slot is gone while all the rest breaks too; it is lost apart from them. */
export const slotFaults = [
  'kill relay',
  'kill relay between two acts',
  'kafka outage',
  'crash postgres',
  'cut connection',
  'followers behind',
  'lose answers',
] as const satisfies readonly FaultName[];

/** Faults between a decision to park and its being known. */
export const poisonFaults = [
  'kill relay between two acts',
  'kill relay between two acts',
  'kill relay',
  'terminate relay',
  'kafka outage',
  'move leaders',
  'too few replicas',
] as const satisfies readonly FaultName[];

/** Faults that last long, while little is written: what readiness says meanwhile. */
export const healthFaults = [
  'kafka outage',
  'kafka outage',
  'too few replicas',
  'too few replicas',
  'crash postgres',
  'postgres in recovery',
  'blackhole connection',
  'kill relay',
] as const satisfies readonly FaultName[];
