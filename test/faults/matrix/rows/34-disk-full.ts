import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '@outbound/local-stack';
import { eventually } from '../../../support/eventually.ts';
import { SmallDisk } from '../../../support/small-disk.ts';
import { startTestStack } from '../../../support/test-stack.ts';
import type { FaultRow } from '../fault-row.ts';
import { judged } from '../judged.ts';
import { morePublished, underLoad } from '../under-load.ts';

/** A broker with two folders for its logs, of which one fills up: the partitions there have no leader until somebody makes room and starts it again. */
export const row: FaultRow = {
  number: 34,
  fault: 'Kafka disk full, log dir failed',
  expected: 'tried again with an alarm, the partitions of the other folder flow, nothing is lost',
  seeds: 20,
  inCi: false,
  run: async ({ chance, say }) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'outbound-kafka-'));
    using disk = new SmallDisk(64 * 1024 * 1024);
    try {
      await formatToo(dataDir, disk.path);
      await using servers = await startTestStack({
        kafka: {
          dataDir,
          settings: {
            // The broker's own folder has the metadata and half of the partitions.
            'log.dirs': `${join(dataDir, 'broker-1', 'data')},${disk.path}`,
            'metadata.log.dir': join(dataDir, 'broker-1', 'data'),
            'transaction.state.log.segment.bytes': String(1024 * 1024),
          },
        },
      });
      const broker = servers.kafka.broker(1);
      return await underLoad(
        servers,
        { allowedDuplicates: 0, healLimitMs: 120_000 },
        async ({ relay }) => {
          await morePublished(relay, chance.int(100, 500));
          const filled = disk.fill();
          const causes = () =>
            relay.logs.filter(({ message }) => message === 'a send failed and is tried again');
          await eventually(() => causes().length > 0, { timeoutMs: 60_000 });
          const ready = await eventually(
            async () => {
              const answer = await relay.ready();
              return answer.checks['kafka']?.ok === false && answer;
            },
            { timeoutMs: 20_000 },
          );
          const said = (causes()[0]?.['error'] as { message?: string } | undefined)?.message;
          say(`the relay says: ${said ?? 'nothing'}`);
          const flowed = await morePublished(relay, 20).then(
            () => true,
            () => false,
          );
          disk.free();
          await broker.kill().catch(() => undefined);
          await broker.start();
          await morePublished(relay, 200);
          await eventually(async () => (await relay.ready()).status === 'ready', {
            timeoutMs: 60_000,
          });
          return {
            bit: `${filled.toLocaleString('en')} bytes took the last room; the broker answered: ${said ?? 'nothing'}`,
            judged: [
              judged(
                'I11',
                ready.status === 'not ready',
                `readiness said ${ready.status}: ${ready.checks['kafka']?.detail ?? ''}`,
              ),
              judged(
                'I8',
                flowed,
                flowed ? 'the other folder flowed meanwhile' : 'all stood still',
              ),
            ],
          };
        },
      );
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
};

/** Lets a broker make its folder, and says in the other one that it is that broker's too: Kafka starts with no folder that is not marked as its own. */
async function formatToo(dataDir: string, other: string): Promise<void> {
  await (await startKafka({ dataDir })).close();
  const mark = readFileSync(join(dataDir, 'broker-1', 'data', 'meta.properties'), 'utf8');
  const directoryId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
  writeFileSync(
    join(other, 'meta.properties'),
    mark.replace(/^directory\.id=.*$/m, `directory.id=${directoryId}`),
  );
}
