/** The same promise for every call: `act` runs at most once. */
export function once(act: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return async () => (running ??= act());
}
