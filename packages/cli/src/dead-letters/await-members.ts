import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaRedrive, RedriveProgress, RedriveRequest } from '@outbound/consumer';

const withinMs = 20_000;
const everyMs = 500;

/** How a request has ended: `undefined` progress where nobody has carried it out yet. */
export interface RequestEnd {
  readonly request: RedriveRequest;
  readonly progress: RedriveProgress | undefined;
  /** Something else was asked for the key since: that counts. */
  readonly isReplaced: boolean;
}

/**
 * Waits until members of the groups have carried the requests out, or nothing has changed for a while (20 s; or the
 * group has no member). What is told here is what they have written.
 * @throws what the signal says, if it is aborted; KafkaError
 */
export async function awaitMembers(
  redrive: Pick<KafkaRedrive, 'look'>,
  requests: readonly RedriveRequest[],
  { signal, hasMembers }: { readonly signal: AbortSignal; readonly hasMembers: boolean },
): Promise<readonly RequestEnd[]> {
  let before = '';
  let changedMs = performance.now();
  for (;;) {
    const book = await redrive.look();
    const seen = requests.map((request) => ({ request, progress: book?.progress(request) }));
    const ends = seen.map(({ request, progress }): RequestEnd => {
      const isOver = progress?.request === request.id && progress.state !== 'running';
      return {
        request,
        progress: isOver ? progress : undefined,
        isReplaced: !isOver && book?.request(request)?.id !== request.id,
      };
    });
    const isOpen = ({ progress, isReplaced }: RequestEnd): boolean => !progress && !isReplaced;
    if (!hasMembers || !ends.some(isOpen)) return ends;
    const now = JSON.stringify(seen.map(({ progress }) => [progress?.at, progress?.state]));
    if (now !== before) changedMs = performance.now();
    before = now;
    if (performance.now() - changedMs > withinMs) return ends;
    await delay(everyMs, undefined, { signal });
  }
}
