/** The links of a page. Relative unless the public URL is known: a Host header is the caller's word and not ours. */
export function pageLinks(options: {
  readonly publicUrl: string | undefined;
  /** `/products` */
  readonly path: string;
  /** The parameters as they were sent, but for limit and cursor. */
  readonly parameters: readonly [name: string, value: string][];
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly prev: string | undefined;
  readonly next: string | undefined;
  readonly changes: string | undefined;
}): Record<string, string> {
  const { path, parameters, limit, prev, next, changes } = options;
  const link = (cursor: string | undefined): string => {
    const query = new URLSearchParams([...parameters, ['limit', String(limit)]]);
    if (cursor !== undefined) query.set('cursor', cursor);
    return absolute(options.publicUrl, `${path}?${query.toString()}`);
  };
  return {
    self: link(options.cursor),
    first: link(undefined),
    ...(prev === undefined ? {} : { prev: link(prev) }),
    ...(next === undefined ? {} : { next: link(next) }),
    ...(changes === undefined ? {} : { changes: link(changes) }),
  };
}

/** A path under the public URL, or as it is. */
export function absolute(publicUrl: string | undefined, path: string): string {
  return publicUrl === undefined ? path : `${publicUrl.replace(/\/+$/, '')}${path}`;
}
