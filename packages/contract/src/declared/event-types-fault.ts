import { dataOps, type DataOp, type EventType, type Route, type RouteForm } from '../event-type.ts';

const forms: readonly RouteForm[] = ['value', 'tombstone', 'skip'];

/** An unchecked value from somebody's module: nothing is known of it. */
type Unchecked<Declared> = { readonly [Field in keyof Declared]?: unknown };

/**
 * What is wrong with declarations that come from outside, one sentence each; empty if the relay can route by them. Pure.
 * What the relay, the provisioning and the headers use is checked, and what would only show as a loss or an endless retry later: two routes of one
 * event to one topic share a lane, so that after a crash the second record is taken for the first; a topic with two partition counts never fits.
 */
export function eventTypesFaults(declared: readonly unknown[]): readonly string[] {
  const faults = declared.flatMap((each, index) => declarationFaults(each, index));
  // What follows compares declarations, which have to be whole for that.
  if (faults.length > 0) return faults;
  const eventTypes = declared as readonly EventType[];
  return [...duplicates(eventTypes), ...contradictions(eventTypes)];
}

function declarationFaults(declared: unknown, index: number): readonly string[] {
  if (typeof declared !== 'object' || declared === null)
    return [`declaration ${index + 1} is no object`];
  const eventType = declared as Unchecked<EventType>;
  const { routes } = eventType;
  const name = isText(eventType.name) ? eventType.name : `declaration ${index + 1}`;
  const missing = (['name', 'owner', 'dataType', 'version'] as const).filter(
    (field) => !isText(eventType[field]),
  );
  const faults = missing.map((field) => `${name}: ${field} must be text, and not empty`);
  if (!Array.isArray(routes) || routes.length === 0)
    return [
      ...faults,
      `${name}: routes must be a list of at least one route, or its events go nowhere`,
    ];
  const topics = new Set<unknown>();
  for (const route of routes as readonly unknown[]) {
    faults.push(...routeFaults(name, route));
    const topic = (route as Unchecked<Route> | null)?.topic;
    if (topics.has(topic))
      faults.push(
        `${name}: topic ${String(topic)} is routed to twice; of two records of one event in one partition only the first would be known after a crash`,
      );
    topics.add(topic);
  }
  return faults;
}

function routeFaults(name: string, declared: unknown): readonly string[] {
  if (typeof declared !== 'object' || declared === null) return [`${name}: a route is no object`];
  const route = declared as Unchecked<Route>;
  if (!isText(route.topic) || !/^[a-z][a-z0-9.-]{0,200}$/.test(route.topic))
    return [
      `${name}: a route has the topic ${JSON.stringify(route.topic)}; expected [a-z0-9.-], beginning with a letter`,
    ];
  const where = `${name}: the route to ${route.topic}`;
  const faults: string[] = [];
  if (!isCount(route.partitions, 1))
    faults.push(`${where} must say its partitions, a whole number from 1`);
  if (!isCount(route.retentionMs, 0))
    faults.push(`${where} must say its retentionMs, a whole number of milliseconds`);
  if (route.cleanupPolicy !== 'delete' && route.cleanupPolicy !== 'compact')
    faults.push(`${where} must have the cleanupPolicy delete or compact`);
  const given = (route.forms ?? {}) as Partial<Record<DataOp, unknown>>;
  for (const dataOp of dataOps) {
    const form = given[dataOp];
    if (!forms.some((each) => each === form))
      faults.push(`${where} must say in forms.${dataOp} what it gets: ${forms.join(', ')}`);
    else if (form === 'tombstone' && route.cleanupPolicy === 'delete')
      faults.push(`${where} is not compacted, so a tombstone for ${dataOp} means nothing there`);
  }
  return faults;
}

function duplicates(eventTypes: readonly EventType[]): readonly string[] {
  const names = eventTypes.map(({ name }) => name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return Array.from(twice, (name) => `${name} is declared twice`);
}

/** Event types may share a topic, if they say the same of it. */
function contradictions(eventTypes: readonly EventType[]): readonly string[] {
  const first = new Map<string, { readonly name: string; readonly route: Route }>();
  const faults: string[] = [];
  for (const { name, routes } of eventTypes)
    for (const route of routes) {
      const other = first.get(route.topic);
      if (!other) first.set(route.topic, { name, route });
      for (const field of ['partitions', 'cleanupPolicy', 'retentionMs'] as const)
        if (other && other.route[field] !== route[field])
          faults.push(
            `topic ${route.topic} has ${field} ${other.route[field]} in ${other.name} and ${route[field]} in ${name}`,
          );
    }
  return faults;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isCount(value: unknown, least: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= least;
}
