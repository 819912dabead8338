import process from 'node:process';
import { setTimeout } from 'node:timers';

/**
 * Loaded into a service before its own code (`node --import`): asks it to stop when standard input ends, which is when the process that
 * started it is gone, however that came about. A service that does not stop in time is ended.
 */
process.stdin.on('end', () => {
  process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 15_000).unref();
});
process.stdin.on('error', () => undefined);
process.stdin.resume();
// The pipe alone must not keep a service alive that has ended by itself.
process.stdin.unref();
