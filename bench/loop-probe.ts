/**
 * Loaded with `--import`: tells, once a second, the longest standstill of the event loop since it was told last. On a busy machine a process also stands still
 * because others run, so beside the time of the wall stands the processor time that was used in it.
 */
let last = performance.now();
let cpu = process.cpuUsage();
let worst = { wallMs: 0, cpuMs: 0 };
setInterval(() => {
  const now = performance.now();
  const used = process.cpuUsage(cpu);
  const wallMs = now - last - 5;
  const cpuMs = Math.min(wallMs, (used.user + used.system) / 1_000);
  if (cpuMs > worst.cpuMs) worst = { wallMs, cpuMs };
  last = now;
  cpu = process.cpuUsage();
}, 5).unref();
setInterval(() => {
  process.stdout.write(`${JSON.stringify({ message: 'loop', ...worst })}\n`);
  worst = { wallMs: 0, cpuMs: 0 };
}, 1_000).unref();
