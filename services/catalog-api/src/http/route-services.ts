import type { FastifyRequest } from 'fastify';
import type { SnapshotSource } from '../catalog/snapshot.ts';
import type { CommandContext } from '../catalog/unit-of-work.ts';
import type { Streams } from '../streams/streams.ts';
import type { AnswersInFlight } from './answers-in-flight.ts';

/** What routes need of the service around them. */
export interface RouteServices {
  readonly publicUrl: string | undefined;
  readonly batchBodyLimitBytes: number;
  /** Most bytes of a page, but for its last entity. */
  readonly pageBytes: number;
  readonly answersInFlight: AnswersInFlight;
  readonly streams: Streams;
  /** Where exports read. */
  readonly snapshots: SnapshotSource;
  /** The surroundings of a command for this request. */
  readonly contextOf: (request: FastifyRequest) => CommandContext;
}
