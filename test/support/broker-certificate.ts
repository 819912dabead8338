import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs';
import type { Certificate } from './certificate.ts';
import { eventually } from './eventually.ts';

/** The settings of a broker's listener CLIENT for this certificate; PEM, so that no keystore has to be made. */
export function listenerCertificate({ key, cert }: Certificate): Record<string, string> {
  return {
    'listener.name.client.ssl.keystore.type': 'PEM',
    'listener.name.client.ssl.keystore.key': key,
    'listener.name.client.ssl.keystore.certificate.chain': cert,
  };
}

/**
 * Lets a broker that runs show another certificate to whoever connects from now on, and comes back when it does.
 * @param admin an address of it without TLS
 * @param address of the listener CLIENT
 */
export async function showCertificate(
  admin: readonly string[],
  address: { readonly host: string; readonly port: number },
  certificate: Certificate,
): Promise<void> {
  const client = new Kafka({ brokers: [...admin], logLevel: logLevel.NOTHING }).admin();
  await client.connect();
  try {
    const configEntries = Object.entries(listenerCertificate(certificate)).map(([name, value]) => ({
      name,
      value,
    }));
    await client.alterConfigs({
      validateOnly: false,
      resources: [{ type: ConfigResourceTypes.BROKER, name: '1', configEntries }],
    });
  } finally {
    await client.disconnect();
  }
  const { raw } = new X509Certificate(certificate.cert);
  // The controller knows; the broker's two network threads have it a moment later, one after the other, and take connections in turn.
  await eventually(async () => {
    for (let look = 0; look < 4; look += 1) if (!(await shown(address)).equals(raw)) return false;
    return true;
  });
}

/** The certificate that a client is shown now, as it is on the wire. */
async function shown(address: { readonly host: string; readonly port: number }): Promise<Buffer> {
  const socket = connect({ ...address, rejectUnauthorized: false });
  // One that wants ours too ends the connection behind the handshake.
  socket.on('error', () => undefined);
  try {
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().raw;
  } finally {
    socket.destroy();
  }
}
