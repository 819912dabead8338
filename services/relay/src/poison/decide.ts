import type { LetterMark, ParkedEntry, ParkedState } from '@outbound/contract';
import type { RelayError } from '../errors.ts';
import type { Standing } from './parked-keys.ts';

/** An event as far as its way depends on it. */
export interface JudgedEvent {
  readonly eid: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly type: string;
  /** Its place in the log, as `source_lsn` has it. */
  readonly place: string;
  /** Set on rows that were written to deal with dead letters. */
  readonly mark: LetterMark | undefined;
  /** Why it cannot be published. */
  readonly poison: RelayError | undefined;
  /** An operator has said that it may be left out if it cannot be published. */
  readonly isListed: boolean;
  /** Poison may park a key that is free; else it stops the relay. */
  readonly mayPark: boolean;
}

/**
 * Where an event goes. `publish`: to its topics. `park`: to the dead letters, behind those of its key. `redrive`: to
 * its topics, as the dead letter whose turn it is. `discard`: nowhere; letters are given up. `leave-out`: nowhere,
 * and nothing changes. `stop`: it cannot be published, and the relay has to end.
 */
export type Decision =
  | { readonly way: 'publish' }
  | { readonly way: 'stop'; readonly poison: RelayError }
  | { readonly way: 'park'; readonly entry: ParkedEntry }
  | { readonly way: 'redrive'; readonly entry: ParkedEntry }
  | { readonly way: 'discard'; readonly entry: ParkedEntry }
  | { readonly way: 'leave-out'; readonly why: string; readonly entry?: ParkedEntry };

/**
 * Decides about one event, in the order of the log, so that no event of a key overtakes another one of it:
 * - what was decided before a restart is decided again;
 * - poison parks its key (or stops the relay, if it may not), and whatever comes of a parked key is parked behind it;
 * - a letter that comes again is published if it is the next one and can be published now; every other one is left
 *   out, since it was dealt with, or has to wait for the ones before it. So it does no harm to write letters twice,
 *   or by two people at once, and whoever writes them needs no lock;
 * - a key is free when all its letters are dealt with, those that came meanwhile included.
 */
export function decide(event: JudgedEvent, standing: Standing, at: string): Decision {
  const { mark, poison } = event;
  const { recorded, state } = standing;
  if (recorded?.kind === 'redriven' && poison) return kept(event, state, poison);
  if (recorded && recorded.kind !== 'void') return again(recorded, recorded.kind);
  if (mark) return decideMarked(event, mark, standing);
  if (poison && event.isListed) return { way: 'leave-out', why: 'RELAY_SKIP_EVENTS lists it' };
  if (!state && !poison) return { way: 'publish' };
  if (!state && poison && !event.mayPark) return { way: 'stop', poison };
  return { way: 'park', entry: entryOf(event, 'parked', parkedBy(event, state, at)) };
}

function again(entry: ParkedEntry, kind: Exclude<ParkedEntry['kind'], 'void'>): Decision {
  switch (kind) {
    case 'parked':
      return { way: 'park', entry };
    case 'redriven':
      return { way: 'redrive', entry };
    case 'discarded':
      return { way: 'discard', entry };
    case 'kept':
      return { way: 'leave-out', why: 'it could not be published before a restart', entry };
  }
}

function decideMarked(event: JudgedEvent, mark: LetterMark, { state }: Standing): Decision {
  const out = (why: string) => ({ way: 'leave-out', why }) as const;
  if (state?.since !== mark.since) return out('its key is not parked any more');
  if (mark.number > state.count) return out('there is no such letter');
  if (mark.number <= state.done) return out('the letter was dealt with');
  if (mark.kind === 'discard')
    return { way: 'discard', entry: entryOf(event, 'discarded', dealtWith(state, mark.number)) };
  if (mark.number !== state.done + 1) return out('a letter before it waits');
  if (event.poison) return kept(event, state, event.poison);
  return { way: 'redrive', entry: entryOf(event, 'redriven', dealtWith(state, mark.number)) };
}

/** The letter waits on, and those behind it do: also one that was taken, and that a broker refused then. */
function kept(event: JudgedEvent, state: ParkedState | undefined, poison: RelayError): Decision {
  const why = `it still cannot be published: ${poison.message}`;
  return { way: 'leave-out', why, entry: entryOf(event, 'kept', state) };
}

function parkedBy(event: JudgedEvent, state: ParkedState | undefined, at: string): ParkedState {
  const { eid, type, place, poison } = event;
  if (state) return { ...state, count: state.count + 1, lastEid: eid };
  return {
    since: place,
    count: 1,
    done: 0,
    code: poison?.code ?? 'EVENT_MALFORMED',
    type,
    firstEid: eid,
    lastEid: eid,
    at,
  };
}

function dealtWith(state: ParkedState, number: number): ParkedState | undefined {
  return number === state.count ? undefined : { ...state, done: number };
}

function entryOf(
  { aggregateType, aggregateId }: JudgedEvent,
  kind: ParkedEntry['kind'],
  after: ParkedState | undefined,
): ParkedEntry {
  return { kind, aggregateType, aggregateId, after };
}
