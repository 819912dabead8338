import { harass, type HostileMeans } from './hostile-callers.ts';
import { Notes } from './told.ts';

/** To begin, then to stop; the answer to the latter is what was told (`Told`). */
export type HostileOrder =
  { readonly begin: Omit<HostileMeans, 'notes' | 'signal'> } | { readonly stop: true };

const notes = new Notes();
notes.phase = 'with';
const stopping = new AbortController();

process.on('message', (order: HostileOrder) => {
  if ('begin' in order)
    harass({ ...order.begin, notes, signal: stopping.signal }).then(
      () => process.send?.(notes.told),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  else stopping.abort();
});
process.once('disconnect', () => process.exit(0));
