import { open } from 'node:fs/promises';

/** Where the issuer's keys are. */
export type JwksSource = { readonly url: string } | { readonly path: string };

const maxJwksBytes = 262_144;
const timeoutMs = 5_000;

/**
 * The text of the key set, at most 256 KiB. Redirections are not followed: who may say where the keys are is whoever set the URL.
 * @throws Error saying why it cannot be had; never with what was answered.
 */
export async function readJwksSource(source: JwksSource): Promise<string> {
  return 'path' in source ? readFileText(source.path) : readUrlText(source.url);
}

async function readFileText(path: string): Promise<string> {
  const file = await open(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`the file ${path} cannot be read (${error.code ?? 'unknown error'})`);
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxJwksBytes + 1), 0);
    if (bytesRead > maxJwksBytes) throw new Error(`the file ${path} is larger than 256 KiB`);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

async function readUrlText(url: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(url, {
      redirect: 'error',
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: unknown };
    const why = typeof code === 'string' ? code : (error as Error).name;
    throw new Error(`${url} gives no answer (${why})`, { cause: error });
  }
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${url} answers ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    // Leaving the loop ends the connection.
    if (bytes > maxJwksBytes) throw new Error(`${url} answers more than 256 KiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
