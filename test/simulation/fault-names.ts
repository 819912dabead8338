/** Faults of relays, Postgres and the connections between them. */
const sourceFaultNames = [
  'kill relay',
  'kill relay between two acts',
  'stop relay',
  'terminate relay',
  'cut connection',
  'blackhole connection',
  'half-open connection',
  'half-open connection while opening',
  'crash postgres',
  'bring back a copy',
  'cut a repetition short',
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
  'half-open connection while opening',
  'half-open connection while opening',
  'blackhole connection',
  'stop relay',
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
