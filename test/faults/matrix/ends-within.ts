import { eventually } from '../../support/eventually.ts';
import type { ServiceExit, ServiceProcess } from '../../support/service-process.ts';

/** How a process ends by itself. @throws Error, with the end of its log, if it goes on for longer than it may. */
export async function endsWithin(
  service: ServiceProcess,
  timeoutMs = 60_000,
): Promise<ServiceExit> {
  await eventually(() => !service.isRunning, { timeoutMs }).catch(() => {
    throw new Error(`the process goes on after ${timeoutMs} ms: ${service.tail()}`);
  });
  return service.ended();
}
