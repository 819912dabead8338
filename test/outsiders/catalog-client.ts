/** What a product of the tests has in its attributes: numbers that a double cannot hold, and text of every width. */
const attributes =
  '{"serial":12345678901234567890,"ratio":0.10000000000000000001,"names":["é€😀","日本語","עברית"],"quoted":"a\\"b\\tc\\\\d"}';

/** Writes to the catalog through its REST API, as its callers do, and remembers what is alive. */
export class CatalogClient {
  readonly #url: string;
  /** Version of each product that is not deleted, by id. */
  readonly #live = new Map<string, number>();
  #created = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Ids of the products that are not deleted. */
  get live(): readonly string[] {
    return [...this.#live.keys()];
  }

  /** Creates so many products, in one batch. */
  async create(count: number): Promise<void> {
    const items = Array.from({ length: count }, () => {
      this.#created += 1;
      return `{"sku":"OUT-${this.#created}","name":"Größe ${this.#created} 👟","status":"ACTIVE","price":{"amount":12.50,"currency":"EUR"},"attributes":${attributes}}`;
    });
    const text = await this.#send('POST', '/products/batch', 207, {
      type: 'application/json',
      body: `{"items":[${items.join(',')}]}`,
    });
    const answer = JSON.parse(text) as { items: { status: number; id: string }[] };
    for (const { status, id } of answer.items) {
      if (status !== 201) throw new Error(`an item of the batch was answered ${status}`);
      this.#live.set(id, 1);
    }
  }

  /** Changes each product once. */
  async change(ids: readonly string[], name: string): Promise<void> {
    for (const id of ids) {
      const version = this.#version(id);
      await this.#send('PATCH', `/products/${id}`, 200, {
        type: 'application/merge-patch+json',
        body: JSON.stringify({ name }),
        version,
      });
      this.#live.set(id, version + 1);
    }
  }

  async delete(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      await this.#send('DELETE', `/products/${id}`, 204, { version: this.#version(id) });
      this.#live.delete(id);
    }
  }

  /** The product as REST shows it, byte for byte. */
  async read(id: string): Promise<string> {
    return this.#send('GET', `/products/${id}`, 200, {});
  }

  #version(id: string): number {
    const version = this.#live.get(id);
    if (version === undefined) throw new Error(`there is no live product ${id}`);
    return version;
  }

  async #send(
    method: string,
    path: string,
    expected: number,
    { type, body, version }: { type?: string; body?: string; version?: number },
  ): Promise<string> {
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: {
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(version === undefined ? {} : { 'if-match': `"${version}"` }),
      },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (response.status !== expected)
      throw new Error(`${method} ${path} was answered ${response.status}: ${text.slice(0, 500)}`);
    return text;
  }
}
