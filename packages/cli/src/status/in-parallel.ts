/**
 * The results of `work` for every item, in the items' order; at most `width` at once. Rejects with the first failure.
 */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  const queue = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of queue) results.set(index, await work(item));
  };
  await Promise.all(Array.from({ length: width }, worker));
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result);
}
