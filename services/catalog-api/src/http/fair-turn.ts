/** How long one request may have the event loop at a time. */
const maxTurnMs = 5;

/**
 * Shares the event loop: a function to await between two pieces of work, which lets others have their turn once this one has had some milliseconds.
 * Work whose size the caller decides goes in pieces, so that nobody's request stands still behind it.
 */
export function fairTurn(nowMs: () => number = () => performance.now()): () => Promise<void> {
  let beganMs = nowMs();
  return async () => {
    if (nowMs() - beganMs < maxTurnMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    beganMs = nowMs();
  };
}
