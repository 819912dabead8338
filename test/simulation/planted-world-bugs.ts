import { errorFromCode, firstReservedEpoch, type ProducerIdentity } from '@outbound/kafka';
import { RelayError } from '../../services/relay/src/errors.ts';
import type { Life } from './life.ts';
import type { PlantedBug } from './planted-bug.ts';
import { refusedLast, rowsReversed, sleepOverlooked, slotNotProven } from './planted-inside.ts';
import { kafkaError } from './simulated-kafka.ts';
import { judgeFacts } from './simulated-stream-options.ts';

/** A relay that thinks that epochs only rise. */
function refuseLowerEpochs(): (producer: ProducerIdentity, life: Life) => void {
  const last = new WeakMap<Life, number>();
  return ({ producerEpoch }, life) => {
    if (producerEpoch < (last.get(life) ?? 0))
      throw new RelayError('SINK_REJECTED', `epoch ${producerEpoch} is none`);
    last.set(life, producerEpoch);
  };
}

/** Each is found by one rule of the world, and by no other. */
export const plantedWorldBugs: readonly PlantedBug[] = [
  {
    name: 'reads tails up to the end of the log, and not to what is replicated',
    breaks: ['I1', 'I6'],
    publisher: { endOf: ({ endOffset }) => endOffset },
    plot: 'topic',
  },
  {
    name: 'takes it for a verdict that retention was faster than its reading',
    breaks: ['I8'],
    publisher: {
      onTailUnread: (error) => {
        throw error;
      },
    },
    plot: 'topic',
  },
  {
    name: 'takes it for a verdict that the coordinator is busy with its name',
    breaks: ['I8'],
    publisher: {
      coordinatorError: (code) =>
        code === kafkaError.concurrentTransactions
          ? new RelayError('SINK_REJECTED', 'CONCURRENT_TRANSACTIONS')
          : errorFromCode(code, 'the coordinator'),
    },
  },
  {
    name: 'takes an epoch that is lower than its last one for its end',
    breaks: ['I8'],
    publisher: { onProducer: refuseLowerEpochs() },
  },
  {
    name: 'writes with the last epochs of a producer id, and with the first of the next',
    breaks: ['I3', 'I4'],
    publisher: { takeProducer: ({ take }) => take() },
    plot: 'epochs',
  },
  {
    name: 'asks for another producer id, and has no partition refuse the old one before',
    breaks: ['I3', 'I4'],
    publisher: {
      takeProducer: async ({ take }) => {
        let producer = await take();
        while (producer.producerEpoch >= firstReservedEpoch) producer = await take();
        return producer;
      },
    },
    plot: 'epochs',
  },
  {
    name: 'never asks who holds the slot while it fences',
    breaks: ['I3', 'I4'],
    within: slotNotProven,
    plot: 'takeover',
  },
  {
    name: 'gives up a server that works without a word',
    breaks: ['I8'],
    source: { activityOf: () => undefined },
  },
  {
    name: 'takes a broken connection for a server that works',
    breaks: ['I8'],
    source: { activityOf: () => ({ waitEventType: null, waitEvent: null }) },
  },
  {
    name: 'does not notice that its machine was suspended',
    breaks: ['I3', 'I4'],
    within: sleepOverlooked,
    plot: 'sleep',
  },
  {
    name: 'makes a slot that is gone anew without a word',
    breaks: ['I1', 'I6'],
    source: {
      judge: (facts) => (facts.slot?.walStatus === 'reserved' ? judgeFacts(facts) : 'create'),
    },
    plot: 'slot',
  },
  {
    name: 'waits for a slot that is gone',
    breaks: ['I8'],
    source: {
      judge: (facts) => {
        if (facts.slot?.walStatus === 'reserved') return judgeFacts(facts);
        throw new RelayError('SOURCE_CONNECTION_LOST', 'there is no slot');
      },
    },
    plot: 'slot',
  },
  {
    name: 'halts for a server that is in recovery',
    breaks: ['I8'],
    source: {
      judge: (facts) => {
        if (facts.server.isStandby) throw new RelayError('SOURCE_UNSUPPORTED', 'a standby');
        return judgeFacts(facts);
      },
    },
  },
  {
    name: 'sends what a broker has refused again, behind what came later',
    breaks: ['I3'],
    within: refusedLast,
  },
  { name: 'gives out the rows of a transaction last first', breaks: ['I3'], within: rowsReversed },
];
