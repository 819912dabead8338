import type { Reply } from './ask.ts';
import type { State, Write } from './judge-answers.ts';

/** What a reply to a change of one entity says of it. An entity in the answer gives its id and version; where there is none, `id` is what was asked for. */
export function outcomeOf(
  reply: Reply,
  id?: string,
): Pick<Write, 'outcome' | 'status' | 'id' | 'version'> {
  if (reply.kind === 'closed-idle') return { outcome: 'unanswered', status: 0 };
  if (reply.kind !== 'answer') return { outcome: 'unknown', status: 0 };
  const { status, text, etag } = reply;
  if (status < 300) {
    const shown = stateIn(text);
    return {
      outcome: 'done',
      status,
      id: shown?.id ?? id,
      version: Number(etag?.replaceAll('"', '') ?? shown?.version),
    };
  }
  return { outcome: text.includes('/problems/outcome-unknown') ? 'unknown' : 'refused', status };
}

/** The entity in an answer, if it is one; its name is its tag. */
export function stateIn(text: string): State | undefined {
  return statesIn(text)[0];
}

/** The entities in an answer: the one that it is, or the items of a page. */
export function statesIn(text: string): readonly State[] {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return [];
  }
  const items =
    typeof body === 'object' && body !== null && 'items' in body && Array.isArray(body.items)
      ? (body.items as unknown[])
      : [body];
  return items.flatMap((item) => {
    const { id, version, name } = (item ?? {}) as Readonly<Record<string, unknown>>;
    return typeof id === 'string' && typeof version === 'number' && typeof name === 'string'
      ? { id, version, tag: name }
      : [];
  });
}

/** The outcome of each item of a batch, in order; all share that of the batch where it was not answered 207. */
export function outcomesOf(
  reply: Reply,
  count: number,
): readonly Pick<Write, 'outcome' | 'status' | 'id' | 'version'>[] {
  if (reply.kind !== 'answer' || reply.status !== 207)
    return Array.from({ length: count }, () => outcomeOf(reply));
  const { items } = JSON.parse(reply.text) as {
    readonly items: readonly {
      readonly status: number;
      readonly id?: string;
      readonly etag?: string;
      readonly problem?: { readonly type?: string };
    }[];
  };
  return Array.from({ length: count }, (_, index) => {
    const item = items[index];
    if (item === undefined) return { outcome: 'done', status: 207 };
    const isUnknown = item.problem?.type?.endsWith('outcome-unknown') === true;
    return {
      outcome: item.status < 300 ? 'done' : isUnknown ? 'unknown' : 'refused',
      status: item.status,
      id: item.id,
      version: Number(item.etag?.replaceAll('"', '')),
    };
  });
}
