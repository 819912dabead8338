/**
 * The text of a one-dimensional array as Postgres reads it: `{"a","b",NULL}`. Every element is quoted, so none is taken for a null or a number.
 * Source: Postgres, "Array Input and Output Syntax".
 */
export function arrayText(elements: readonly (string | null)[]): string {
  const parts = elements.map((element) =>
    element === null ? 'NULL' : `"${escaped.test(element) ? escape(element) : element}"`,
  );
  return `{${parts.join(',')}}`;
}

const escaped = /["\\]/;

function escape(element: string): string {
  return element.replace(/["\\]/g, '\\$&');
}
