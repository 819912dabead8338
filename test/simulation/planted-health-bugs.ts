import { observers } from '../../services/relay/src/observers.ts';
import type { RelayObserver } from '../../services/relay/src/relay-observer.ts';
import type { AssemblyChange } from './planted-around.ts';
import type { PlantedBug } from './planted-bug.ts';
import { noneStuck } from './planted-inside.ts';

/** `change` gives what whoever watches is told instead. */
function watched(change: (observer: RelayObserver) => Partial<RelayObserver>): AssemblyChange {
  return (parts) => ({
    ...parts,
    observer: { ...observers(parts.observer), ...change(parts.observer) },
  });
}

/** Relays that do their work, and say what is not true of it. */
export const plantedHealthBugs: readonly PlantedBug[] = [
  {
    name: 'never asks the cluster while it is idle',
    breaks: ['I11'],
    plot: 'health',
    publisher: { asksWhileIdle: false },
  },
  {
    name: 'stays a ready standby while it cannot reach the server',
    breaks: ['I11'],
    plot: 'health',
    parts: watched((observer) => ({
      stateChanged: (state) => {
        if (state !== 'recovering') observer.stateChanged(state);
      },
    })),
  },
  {
    name: 'is a ready standby when it waits after an error',
    breaks: ['I11'],
    plot: 'health',
    parts: watched((observer) => ({
      stateChanged: (state) => observer.stateChanged(state === 'recovering' ? 'standby' : state),
    })),
  },
  {
    name: 'forgets the lag',
    breaks: ['I11'],
    plot: 'health',
    slotQuestion: (question) => ({
      ...question,
      ask: async () => {
        const health = await question.ask();
        return health && { ...health, lagBytes: 0 };
      },
    }),
  },
  {
    name: 'holds on to what it has once heard of the slot',
    breaks: ['I11'],
    plot: 'health',
    slotQuestion: (question) => {
      let first: ReturnType<typeof question.ask> | undefined;
      return { ...question, ask: () => (first ??= question.ask()) };
    },
  },
  {
    name: 'lets what others confirm hide a partition that takes nothing',
    breaks: ['I11'],
    plot: 'health',
    within: noneStuck,
  },
  {
    name: 'has delivered something when it begins',
    breaks: ['I11'],
    plot: 'health',
    parts: watched((observer) => ({
      sessionStarted: (gauges) => {
        observer.sessionStarted(gauges);
        observer.batchDelivered({ topic: 'sim.item', partition: 0, records: [] });
      },
    })),
  },
  {
    name: 'says nothing of a session that has ended, nor of a send that has failed',
    breaks: ['I11'],
    plot: 'health',
    parts: watched((observer) => ({
      sendFailed: () => undefined,
      sessionEnded: (_, retryInMs) => observer.sessionEnded(undefined, retryInMs),
    })),
  },
];
