import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaRedrive, RedriveProgress, RedriveRequest } from '@outbound/consumer';

const withinMs = 20_000;
const everyMs = 500;

/** How a request has ended: `undefined` progress where nobody has carried it out yet, or another request came. */
export interface RequestEnd {
  readonly request: RedriveRequest;
  readonly progress: RedriveProgress | undefined;
}

/**
 * Waits until members of the groups have carried the requests out, or nothing has changed for a while (20 s; or the
 * group has no member). What is told here is what they have written.
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
      return { request, progress: isOver ? progress : undefined };
    });
    const isOpen = ({ request, progress }: RequestEnd): boolean =>
      progress === undefined && book?.request(request)?.id === request.id;
    if (!hasMembers || !ends.some(isOpen) || signal.aborted) return ends;
    const now = JSON.stringify(seen.map(({ progress }) => [progress?.at, progress?.state]));
    if (now !== before) changedMs = performance.now();
    before = now;
    if (performance.now() - changedMs > withinMs) return ends;
    await delay(everyMs);
  }
}
