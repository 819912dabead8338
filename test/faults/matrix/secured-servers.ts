import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { certificate, type Certificate } from '../../support/certificate.ts';
import { eventually } from '../../support/eventually.ts';
import { startFaultProxy, type FaultProxy } from '../../support/fault-proxy.ts';
import { startTestStack, type TestStack } from '../../support/test-stack.ts';

/** Of the broker, see `brokerProperties`. */
const networkThreads = 2;

/** A session of this age has to log in again. */
export const sessionMs = 15_000;

/** Servers whose Kafka takes clients over TLS and with a password only, through a proxy, and gives each what its ACLs say. */
export class SecuredServers implements AsyncDisposable {
  readonly stack: TestStack;
  readonly proxy: FaultProxy;
  /** Certificates that a client has to trust: the broker's, and the one that has expired. */
  readonly authorities: string;
  readonly #good: Certificate;
  readonly #expired: Certificate;

  private constructor(
    stack: TestStack,
    proxy: FaultProxy,
    good: Certificate,
    expired: Certificate,
  ) {
    this.stack = stack;
    this.proxy = proxy;
    this.authorities = good.cert + expired.cert;
    this.#good = good;
    this.#expired = expired;
  }

  static async start(): Promise<SecuredServers> {
    const good = certificate();
    const expired = certificate({ days: -1 });
    let proxy: FaultProxy | undefined;
    const stack = await startTestStack({
      kafka: {
        advertise: async ({ host, port }) => {
          await proxy?.close();
          proxy = await startFaultProxy({ host, port });
          return { host: proxy.host, port: proxy.port };
        },
        settings: {
          'listener.security.protocol.map':
            'CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT',
          'listener.name.client.ssl.keystore.type': 'PEM',
          'listener.name.client.ssl.keystore.key': good.key,
          'listener.name.client.ssl.keystore.certificate.chain': good.cert,
          'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
          'listener.name.client.scram-sha-512.sasl.jaas.config':
            'org.apache.kafka.common.security.scram.ScramLoginModule required;',
          'listener.name.client.scram-sha-512.connections.max.reauth.ms': String(sessionMs),
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          // The brokers and the tools, which come by the open listener.
          'super.users': 'User:ANONYMOUS',
        },
      },
    });
    if (!proxy) throw new Error('no proxy stands before the broker');
    return new SecuredServers(stack, proxy, good, expired);
  }

  /** What the user `relay` has to know from now on; sessions that are open stay so until they are over. */
  async setSecret(secret: string): Promise<void> {
    await this.#tool('configs', [
      ...['--alter', '--add-config', `SCRAM-SHA-512=[password=${secret}]`],
      ...['--entity-type', 'users', '--entity-name', 'relay'],
    ]);
  }

  /** Which certificate the broker shows to whoever connects from now on. */
  async show(which: 'good' | 'expired'): Promise<void> {
    const { key, cert } = which === 'good' ? this.#good : this.#expired;
    const oneLine = (text: string) => text.replaceAll('\n', '\\n');
    const dir = mkdtempSync(join(tmpdir(), 'kafka-keystore-'));
    const file = join(dir, 'config');
    try {
      writeFileSync(
        file,
        [
          `listener.name.client.ssl.keystore.type=PEM`,
          `listener.name.client.ssl.keystore.key=${oneLine(key)}`,
          `listener.name.client.ssl.keystore.certificate.chain=${oneLine(cert)}`,
        ].join('\n'),
      );
      await this.#tool('configs', [
        ...['--alter', '--entity-type', 'brokers', '--entity-name', '1'],
        ...['--add-config-file', file],
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
    // The tool comes back when the controller knows; the broker's network threads have it a moment later, one after the other, and take connections in turn.
    const { raw } = new X509Certificate(cert);
    await eventually(async () => {
      for (let look = 0; look < 2 * networkThreads; look += 1)
        if (!(await this.#shown()).equals(raw)) return false;
      return true;
    });
  }

  /** What the relay needs, for topics that begin with this. */
  async grant(topicPrefix: string): Promise<void> {
    const operations = (...names: readonly string[]) => names.flatMap((n) => ['--operation', n]);
    const prefixed = ['--resource-pattern-type', 'prefixed', '--allow-principal', 'User:relay'];
    await this.#tool('acls', [
      ...['--add', ...prefixed, '--topic', topicPrefix],
      ...operations('Read', 'Write', 'Describe', 'DescribeConfigs'),
    ]);
    await this.#tool('acls', [
      ...['--add', ...prefixed, '--transactional-id', 'outbound-'],
      ...operations('Write', 'Describe'),
    ]);
  }

  /** Takes the right to write to one topic, or gives it back. */
  async forbid(topic: string, isForbidden: boolean): Promise<void> {
    await this.#tool('acls', [
      ...(isForbidden ? ['--add'] : ['--remove', '--force']),
      ...['--deny-principal', 'User:relay', '--topic', topic, '--operation', 'Write'],
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack[Symbol.asyncDispose]();
    await this.proxy.close();
  }

  /** The certificate that a client is shown now, as it is on the wire. */
  async #shown(): Promise<Buffer> {
    const socket = connect({ port: this.proxy.port, rejectUnauthorized: false });
    try {
      await once(socket, 'secureConnect');
      return socket.getPeerCertificate().raw;
    } finally {
      socket.destroy();
    }
  }

  async #tool(...[name, args]: Parameters<TestStack['kafka']['tool']>): Promise<void> {
    const { code, stdout, stderr } = await this.stack.kafka.tool(name, args);
    if (code !== 0) throw new Error(`${name} failed with ${code}: ${stdout}${stderr}`);
  }
}
