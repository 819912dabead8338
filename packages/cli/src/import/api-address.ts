/**
 * The address of an API in one form, so that two spellings of it are equal: the host in lower case, no port that goes
 * without saying, no slash
 * at the end, no user and no password. Two names of one host stay two: nothing here says that the same API answers
 * behind both.
 * @param url http or https; `https://Catalog.example:443/v1/` is `https://catalog.example/v1`.
 */
export function apiAddress(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}
