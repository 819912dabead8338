import { readFile } from 'node:fs/promises';
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { StackError } from './errors.ts';

const lowest = 10_000;
const highest = 32_767;
const handedOut = new Set<number>();

/**
 * TCP ports that nothing listens on at 127.0.0.1, each given once per process, and outside the range that the kernel picks
 * outgoing ports from. Inside that range a port is not safe while its server is down: a client that retries a
 * connection to it is sooner or later given the same port as its own source, connects to itself and holds it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const top = Math.min(highest, (await firstEphemeralPort()) - 1);
  if (top <= lowest)
    throw new StackError(
      `no port is left between ${lowest} and ${top}: raise net.ipv4.ip_local_port_range`,
    );
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > 10_000) throw new StackError(`no free port was found between ${lowest} and ${top}`);
    const port = randomInt(lowest, top + 1);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    ports.push(port);
  }
  return ports;
}

async function firstEphemeralPort(): Promise<number> {
  // Other systems start at 49152 (IANA), which is above what is handed out here.
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').catch(() => '');
  const first = Number.parseInt(range, 10);
  return Number.isInteger(first) ? first : 49_152;
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
