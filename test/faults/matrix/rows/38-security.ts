import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../support/eventually.ts';
import { FirstBytes, tlsHandshake } from '../../../support/first-bytes.ts';
import type { RelayProcess } from '../../../support/relay-process.ts';
import { endsWithin } from '../ends-within.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { SecuredServers, sessionMs } from '../secured-servers.ts';
import { inFlightRecords, morePublished, underLoad } from '../under-load.ts';

const secrets = ['first-secret-7f3a', 'second-secret-91bc', 'third-secret-44d0'] as const;
const change = 'catalog.product-change';

export const row: FaultRow = {
  number: 38,
  fault:
    'SASL session ends mid-run; secret rotated; certificate expired; TLS name mismatch; ACL removed for one topic',
  expected:
    'sessions are renewed; else a clear error and exit 30, nothing left out, no connection without TLS, and it goes on when that is mended',
  seeds: 1,
  inCi: false,
  run: async ({ say }) => {
    await using servers = await SecuredServers.start();
    const { stack, proxy } = servers;
    await servers.setSecret(secrets[0]);
    // Topics of every pipeline here.
    await servers.grant('t');
    const env = {
      RELAY_KAFKA_TLS: 'true',
      RELAY_KAFKA_TLS_CA: servers.authorities,
      RELAY_KAFKA_SASL_MECHANISM: 'scram-sha-512',
      RELAY_KAFKA_SASL_USERNAME: 'relay',
      RELAY_KAFKA_SASL_PASSWORD: secrets[0],
    };
    const rotated = { RELAY_KAFKA_SASL_PASSWORD: secrets[2] };
    const folder = mkdtempSync(join(tmpdir(), 'outbound-secret-'));
    const file = join(folder, 'password');
    writeFileSync(file, secrets[1]);
    return await underLoad(
      stack,
      // Five relays end in the midst of their work.
      { env, allowedDuplicates: 5 * inFlightRecords, load: { pauseMs: 10 }, healLimitMs: 90_000 },
      async (scene) => {
        const { pipeline } = scene;
        const bites: string[] = [];
        const wrong: string[] = [];
        const told: string[] = [];
        const stops = async (what: string, relay: RelayProcess, names: string) => {
          const exit = await endsWithin(relay);
          const output = JSON.stringify(relay.logs) + relay.stderr.join('\n');
          const last = relay.stderr.at(-1) ?? '';
          say(`${what}: exit ${exit.code}, ${last}`);
          if (exit.code === 30 && last.includes('SINK_AUTH_FAILED') && last.includes(names))
            bites.push(what);
          else wrong.push(`${what}: exit ${exit.code}, ${last}`);
          if (secrets.some((secret) => output.includes(secret))) told.push(what);
        };

        await delay(3 * sessionMs);
        await morePublished(scene.relay, 50);
        const reconnects = (await scene.relay.metric('relay_reconnects_total')) ?? 0;
        const failures = (await scene.relay.metric('relay_send_failures_total')) ?? 0;
        say(`three sessions ended: ${reconnects} reconnects, ${failures} failed sends`);

        await servers.setSecret(secrets[1]);
        await stops('secret rotated', scene.relay, '');
        await stops('started with the old secret', scene.launch(), '');

        // By file, within the first session: the next login has the new one.
        scene.relay = await pipeline.startRelay({
          RELAY_KAFKA_SASL_PASSWORD: '',
          RELAY_KAFKA_SASL_PASSWORD_FILE: file,
        });
        await servers.setSecret(secrets[2]);
        writeFileSync(file, secrets[2]);
        await delay(2 * sessionMs);
        await morePublished(scene.relay, 50);
        const lost = (await scene.relay.metric('relay_reconnects_total')) ?? 0;
        say(`secret rotated in its file: ${lost} reconnects`);

        await servers.show('expired');
        proxy.set({ mode: 'cut' });
        proxy.heal();
        await stops('certificate expired', scene.relay, 'expired');
        await servers.show('good');
        await stops(
          'TLS name mismatch',
          pipeline.launchRelay({ ...rotated, RELAY_KAFKA_BROKERS: `localhost:${proxy.port}` }),
          'localhost',
        );
        scene.relay = await pipeline.startRelay(rotated);
        await morePublished(scene.relay, 50);

        await servers.forbid(pipeline.topic(change), true);
        await stops('ACL removed for one topic', scene.relay, pipeline.topic(change));
        await servers.forbid(pipeline.topic(change), false);

        await using peer = await FirstBytes.listen();
        const stubborn = pipeline.launchRelay({
          ...rotated,
          RELAY_KAFKA_BROKERS: `127.0.0.1:${peer.port}`,
        });
        await eventually(() => peer.seen.length >= 5, { timeoutMs: 60_000 });
        await stubborn.terminate();
        const open = peer.seen.filter((byte) => byte !== tlsHandshake).length;

        scene.relay = await pipeline.startRelay(rotated);
        await morePublished(scene.relay, 50);
        rmSync(folder, { recursive: true });
        return {
          bit: `exit 30 at: ${bites.join(', ')}`,
          judged: [
            judged(
              'I11',
              wrong.length === 0 && told.length === 0,
              [...wrong, ...told.map((what) => `${what}: the secret is in the log`)].join('; ') ||
                'each error names its cause, and no secret is in the logs',
            ),
            judged(
              'I8',
              reconnects === 0 && failures === 0 && lost === 0 && open === 0,
              `sessions of ${sessionMs / 1000} s renewed with ${reconnects} reconnects and ${failures} failed sends, and ${lost} over a secret that was changed in its file; ${open} of ${peer.seen.length} connections began without TLS`,
            ),
          ],
        };
      },
    );
  },
};
