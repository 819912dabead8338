import { stringifyJson } from '@outbound/contract';
import type { Aggregate } from '../catalog/aggregate.ts';
import { openSnapshot, type Snapshot } from '../catalog/snapshot.ts';
import { begun, sendStreamed, whenClosed } from '../streams/streamed-answer.ts';
import type { ApiError } from '../errors.ts';
import type { RouteServices } from './route-services.ts';
import type { Server } from './server.ts';
import { fairTurn } from './fair-turn.ts';
import { pickFields } from './fields.ts';
import { asApiError } from './framework-errors.ts';
import { exportQuery, parametersOf, readFilters } from './list-query.ts';
import { ndjsonMediaType } from './media-type.ts';
import { toProblem } from './problem.ts';
import { answers, exportLines, flowHeaders } from './request-schemas.ts';

/** A part is sent when it has so many characters: small ones would cost a write each. */
const partLength = 65_536;

/**
 * `GET /<plural>/export`: every live entity, or those that filters leave, as it is at one moment, one a line, in the text that events carry. The first line names the position in the log from which the topic goes on, the last one
 * says that this is all.
 */
export function registerExportRoute(
  app: Server,
  aggregate: Aggregate,
  { contextOf, streams, snapshots }: RouteServices,
): void {
  const { plural, scopes, eventType } = aggregate;
  app.get(
    `/${plural}/export`,
    {
      config: { scope: scopes.read, stream: 'export' },
      // It would make all of it and throw it away.
      exposeHeadRoute: false,
      schema: {
        summary: `Gives all ${plural} of one moment as a stream`,
        description: `The first line names the position in the log: the events of ${eventType.name} from there on, taken by version, lead from this state to any later one. Without the last line the stream broke; go on behind the last id that came by \`after\`, and keep the first position. With filters there may be empty lines. What of the filtered fits no more is said by its events alone, so whoever follows them asks the same of each event.`,
        operationId: `export_${plural}`,
        tags: [plural],
        headers: flowHeaders,
        querystring: exportQuery(aggregate),
        response: answers({ 200: exportLines(aggregate) }),
      },
    },
    async (request, reply) => {
      const { after, fields } = request.query;
      const place = streams.places.take('export', contextOf(request).principal);
      const opening = openSnapshot(snapshots, aggregate, {
        filters: readFilters(aggregate, request.query),
        fields,
      });
      whenClosed(reply.raw, () => {
        opening.then(
          (opened) => opened.close(),
          () => undefined,
        );
        place.leave();
      });
      const snapshot = await opening;
      const parts = await begun(
        exportParts(aggregate, snapshot, {
          after,
          query: new URLSearchParams([...parametersOf(request.query)]).toString(),
          fields,
          assertGoesOn: streams.watchExport(),
          onRead: (bytes) => place.hold('read', bytes),
        }),
      );
      return sendStreamed(reply.header('content-type', ndjsonMediaType), {
        parts: endedByProblem(parts, request.id, (error) =>
          request.log.error({ code: error.code, error: error.cause ?? error }, 'export broke off'),
        ),
        takeMs: streams.takeMs,
        onUntaken: () => request.log.warn('export was not taken in time: connection ended'),
        onHeld: (bytes) => place.hold('made', bytes),
      });
    },
  );
}

async function* exportParts(
  aggregate: Aggregate,
  snapshot: Snapshot,
  {
    after,
    query,
    fields,
    assertGoesOn,
    onRead,
  }: {
    readonly after: string | undefined;
    /** What was asked for of all, as a query; '' for all. */
    readonly query: string;
    readonly fields: readonly string[] | undefined;
    readonly assertGoesOn: () => void;
    readonly onRead: (bytes: number) => void;
  },
): AsyncGenerator<string> {
  const { eventType } = aggregate;
  const { position, at } = snapshot.from;
  const takeTurn = fairTurn();
  let part = line({
    export: {
      event_type: eventType.name,
      position,
      at,
      ...(after === undefined ? {} : { after }),
      ...(query === '' ? {} : { query }),
    },
  });
  let count = 0;
  let last = after;
  for (;;) {
    assertGoesOn();
    const { rows, bytes, next } = await snapshot.readAfter(last);
    onRead(bytes);
    for (const { decode } of rows) {
      part += line(pickFields(aggregate.toEntity(decode()), fields));
      count += 1;
      if (part.length >= partLength) {
        yield part;
        part = '';
      }
      await takeTurn();
    }
    if (next === undefined) break;
    last = next;
    // Where little is found for long, whoever waits has to see that it goes on.
    if (rows.length > 0) continue;
    yield part === '' ? '\n' : part;
    part = '';
  }
  // Before the last line is taken: a snapshot must not be held by somebody who has all of it.
  snapshot.close();
  yield part + line({ end: { count, position } });
}

/** Tells why it breaks off, and breaks off. */
async function* endedByProblem(
  parts: AsyncIterable<string>,
  flowId: string,
  onBroken: (error: ApiError) => void,
): AsyncGenerator<string> {
  try {
    yield* parts;
  } catch (thrown) {
    const error = asApiError(thrown);
    onBroken(error);
    yield line({ problem: toProblem(error, flowId) });
    throw error;
  }
}

const line = (value: unknown): string => `${stringifyJson(value)}\n`;
