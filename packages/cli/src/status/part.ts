/** What was learnt about one part of the pipeline, or why nothing was. */
export type Part<Value> =
  | { readonly isKnown: true; readonly value: Value }
  | { readonly isKnown: false; readonly why: string };

/** Longest wait for one part: a server that hangs must not keep the others' answers. */
const deadlineMs = 15_000;

/** Asks, and takes any failure as "unknown, because". Never rejects; aborting does not wait for the answer. */
export async function learn<Value>(
  ask: () => Promise<Value>,
  signal: AbortSignal,
): Promise<Part<Value>> {
  let giveUp: () => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    giveUp = () => reject(new Error('it was interrupted'));
    timer = setTimeout(() => reject(new Error(`no answer in ${deadlineMs / 1000} s`)), deadlineMs);
    signal.addEventListener('abort', giveUp, { once: true });
  });
  try {
    return { isKnown: true, value: await Promise.race([ask(), late]) };
  } catch (error) {
    return { isKnown: false, why: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}

/** For JSON: null is unknown. */
export function valueOrNull<Value>(part: Part<Value>): Value | null {
  return part.isKnown ? part.value : null;
}
