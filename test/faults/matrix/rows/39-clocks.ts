import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ApiLoad } from '../../../support/api-load.ts';
import type { ServiceProcess } from '../../../support/service-process.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { morePublished, underLoad } from '../under-load.ts';

const hourMs = 3_600_000;
const clocks = [String(-hourMs), String(hourMs), 'frozen'] as const;
/** More than twice the time after which the server gives up a receiver that says nothing (6 s here). */
const watchMs = 15_000;
const shim = ['tsx', pathToFileURL('test/support/shifted-clock.ts').href].flatMap((module) => [
  '--import',
  module,
]);

/** Each seed has one of the clocks. Rules for tokens are not judged: it calls the API without authentication. */
export const row: FaultRow = {
  number: 39,
  fault: 'clock −1 h / +1 h / frozen, in relay and API, while they run',
  expected: 'keepalives go on, no timeouts, no request refused, order as before',
  seeds: 3,
  inCi: false,
  run: async ({ seed, stack, say }) => {
    const clock = clocks[seed % clocks.length] ?? 'frozen';
    const env = { SHIFTED_CLOCK: clock };
    const servers = await stack();
    return underLoad(
      servers,
      { allowedDuplicates: 0, env, nodeArgs: shim, load: { pauseMs: 5 } },
      async ({ pipeline, relay }) => {
        const { api, url } = await pipeline.startApi(env, shim);
        const callers = new ApiLoad(url, { name: 'clock' });
        await morePublished(relay, 50);
        for (const each of [relay, api]) process.kill(each.pid, 'SIGUSR2');
        await delay(watchMs);
        await morePublished(relay, 100);
        await callers.stop();
        const shown = (await relay.metric('relay_last_delivery_timestamp_seconds')) ?? Number.NaN;
        const offBy = Math.round(shown - Date.now() / 1000);
        say(`clock ${clock}: the relay's last delivery was at ${offBy} s from now`);
        const bit = clock === 'frozen' ? offBy < -watchMs / 2000 : Math.abs(offBy) > 3000;
        if (!bit) throw new Error(`the relay's clock shows ${offBy} s: it did not move`);
        const reconnects = (await relay.metric('relay_reconnects_total')) ?? 0;
        const failures = (await relay.metric('relay_send_failures_total')) ?? 0;
        const { status } = await relay.ready();
        await ended(api);
        return {
          bit: `clock ${clock}: the relay's last delivery lies ${offBy} s from the machine's clock`,
          judged: [
            judged(
              'I8',
              reconnects === 0 && failures === 0 && callers.refused === 0,
              `${reconnects} reconnects, ${failures} failed sends, ${callers.refused} of ${callers.created.length} requests refused in ${watchMs / 1000} s`,
            ),
            judged('I11', status === 'ready', `readiness said ${status}`),
          ],
        };
      },
    );
  },
};

async function ended(service: ServiceProcess): Promise<void> {
  const { code } = await service.terminate();
  if (code !== 0) throw new Error(`the API ended with ${code}: ${service.tail()}`);
}
