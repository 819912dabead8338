import { z } from 'zod';

/** What the API says of a row that it did not create; only for people, so nothing in it is insisted on. */
const problemSchema = z.object({
  type: z.string().catch('about:blank'),
  title: z.string().optional().catch(undefined),
  detail: z.string().catch(''),
  violations: z.unknown().optional(),
});
const answerSchema = z.object({
  items: z.array(
    z.object({ index: z.int().min(0), status: z.int(), problem: problemSchema.optional() }),
  ),
});

/** One item's result as the API gives it. Source: `POST /…/batch`, 207. */
export type ItemAnswer = z.output<typeof answerSchema>['items'][number];

/**
 * What became of each of `count` items; undefined if the text does not say it of every one of them once: then it is no
 * answer of this API, whatever its status (a proxy's page, another service).
 */
export function readBatchAnswer(text: string, count: number): readonly ItemAnswer[] | undefined {
  const { data } = answerSchema.safeParse(jsonOf(text));
  if (data?.items.length !== count) return undefined;
  const told = new Set(data.items.map(({ index }) => index).filter((index) => index < count));
  return told.size === count ? data.items : undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
