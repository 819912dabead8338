import { brokenBy, type Level, type Reader } from './change.ts';
import { compareSchemas } from './compare-schemas.ts';
import { changeText } from './judge-event-type.ts';
import { canonical, isObject, type SchemaObject } from './schema-node.ts';

/** One difference between two OpenAPI documents. */
export interface ApiChange {
  /** MAJOR: callers of the released one are broken. */
  readonly level: Level;
  /** Where and what, in one line: `patch /orders/{id}: …`. */
  readonly text: string;
}

interface Difference {
  readonly was: SchemaObject;
  readonly is: SchemaObject;
  readonly note: (level: Level, text: string) => void;
}

const methods = ['get', 'head', 'post', 'put', 'patch', 'delete'];

/**
 * What became of an API since it was released, as the callers of that release see it: what they send must go on to be taken, and what they get must go on to be understood, by callers
 * who ignore what they do not know (Zalando rules 106 to 108). Schemas are compared as those of events are. What a schema allows and a prose text does not is not seen.
 */
export function compareApis(released: SchemaObject, declared: SchemaObject): readonly ApiChange[] {
  const changes: ApiChange[] = [];
  const operations = operationsOf(declared);
  const before = operationsOf(released);
  for (const [name, was] of before) {
    const note = (level: Level, text: string) =>
      void changes.push({ level, text: `${name}: ${text}` });
    const is = operations.get(name);
    if (is === undefined) note('MAJOR', 'the operation is gone');
    else compareOperations({ was, is, note });
  }
  for (const name of operations.keys())
    if (!before.has(name)) changes.push({ level: 'MINOR', text: `${name}: the operation is new` });
  if (changes.length === 0 && wordsOf(released) !== wordsOf(declared))
    changes.push({ level: 'PATCH', text: 'the document: words changed' });
  return changes;
}

function compareOperations({ was, is, note }: Difference): void {
  compareParameters({ was, is, note });
  const [bodyWas, bodyIs] = [contentOf(was['requestBody']), contentOf(is['requestBody'])];
  for (const [type, schema] of bodyWas) {
    const now = bodyIs.get(type);
    if (now === undefined) note('MAJOR', `bodies of ${type} are not taken any more`);
    else compareParts('the body', schema, now, 'new readers', note);
  }
  for (const type of bodyIs.keys()) if (!bodyWas.has(type)) note('MINOR', `takes ${type}`);
  compareAnswers({ was, is, note });
}

function compareParameters({ was, is, note }: Difference): void {
  const [before, now] = [parametersOf(was), parametersOf(is)];
  for (const [name, parameter] of before) {
    const declared = now.get(name);
    if (declared === undefined) note('MAJOR', `${name} is not taken any more`);
    else {
      if (declared['required'] === true && parameter['required'] !== true)
        note('MAJOR', `${name} is required`);
      const [value, values] = [parameter['schema'], declared['schema']];
      const items = isObject(values) && values['type'] === 'array' ? values['items'] : undefined;
      // One value in a query is written as an array of one (style form, which is what there is if nothing else is said).
      const isOneOfSeveral =
        parameter['in'] === 'query' && isObject(value) && value['type'] !== 'array';
      if (isOneOfSeveral && isObject(items)) note('MINOR', `${name} takes several values`);
      compareParts(name, value, (isOneOfSeveral && items) || values, 'new readers', note);
    }
  }
  for (const [name, parameter] of now)
    if (!before.has(name))
      note(parameter['required'] === true ? 'MAJOR' : 'MINOR', `${name} is new`);
}

function compareAnswers({ was, is, note }: Difference): void {
  const [before, now] = [objectsOf(was['responses']), objectsOf(is['responses'])];
  for (const [status, answer] of before) {
    const declared = now.get(status);
    if (declared === undefined) {
      note('MAJOR', `is not answered with ${status} any more`);
      continue;
    }
    for (const header of objectsOf(answer['headers']).keys())
      if (!objectsOf(declared['headers']).has(header))
        note('MAJOR', `${status} has no header ${header} any more`);
    const content = contentOf(declared);
    for (const [type, schema] of contentOf(answer)) {
      const declaredSchema = content.get(type);
      if (declaredSchema === undefined) note('MAJOR', `${status} is not ${type} any more`);
      else compareParts(`the answer ${status}`, schema, declaredSchema, 'old readers', note);
    }
  }
  for (const status of now.keys())
    if (!before.has(status)) note('MINOR', `is answered with ${status}, too`);
}

/** Whoever reads is broken by MAJOR changes: of what callers send the service (`new readers`), of what they get they themselves (`old readers`). */
function compareParts(
  place: string,
  was: unknown,
  is: unknown,
  reader: Reader,
  note: Difference['note'],
): void {
  if (!isObject(was) || !isObject(is)) return;
  for (const change of compareSchemas(was, is)) {
    if (change.kind === 'text changed') continue;
    const isGone = reader === 'old readers' && change.kind === 'optional field removed';
    const level = isGone || brokenBy(change.kind).includes(reader) ? 'MAJOR' : 'MINOR';
    note(level, `${place}: ${changeText(change)}`);
  }
}

function operationsOf(document: SchemaObject): ReadonlyMap<string, SchemaObject> {
  return new Map(
    [...objectsOf(document['paths'])].flatMap(([path, item]) =>
      [...objectsOf(item)]
        .filter(([method]) => methods.includes(method))
        .map(([method, operation]) => [`${method} ${path}`, operation] as const),
    ),
  );
}

function parametersOf({ parameters }: SchemaObject): ReadonlyMap<string, SchemaObject> {
  return new Map(
    (Array.isArray(parameters) ? parameters.filter(isObject) : []).map((parameter) => [
      `${String(parameter['in'])} parameter ${String(parameter['name'])}`,
      parameter,
    ]),
  );
}

/** Schemas by media type. */
function contentOf(part: unknown): ReadonlyMap<string, unknown> {
  if (!isObject(part)) return new Map();
  return new Map([...objectsOf(part['content'])].map(([type, { schema }]) => [type, schema]));
}

function objectsOf(value: unknown): ReadonlyMap<string, SchemaObject> {
  if (!isObject(value)) return new Map();
  return new Map(
    Object.entries(value).filter((entry): entry is [string, SchemaObject] => isObject(entry[1])),
  );
}

/** The document but for its version. */
function wordsOf(document: SchemaObject): string {
  const info = isObject(document['info']) ? document['info'] : {};
  return canonical({ ...document, info: { ...info, version: '' } });
}
