import {
  eventJsonSchema,
  type EventType,
  type EventTypeRegistry,
  type Route,
} from '@outbound/contract';

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f5f5f5;padding:1rem;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}pre{background:#222}th,td{border-color:#444}a{color:#8ab4f8}}`;

/** The page of all event types: their topics, how long these keep what, and the schema of a value. HTML without scripts and without anything from elsewhere. */
export function asyncApiPage(eventTypes: EventTypeRegistry, version: string): string {
  const sections = [...eventTypes.values()].map(section).join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Catalog events</title><style>${style}</style></head>
<body><h1>Catalog events</h1>
<p>Version ${escaped(version)}. Every committed change, in order per entity, at least once: deduplicate by the header <code>ce_id</code>, or by key and <code>data.version</code>.
For machines: <a href="asyncapi.json">AsyncAPI</a>, <a href="event-types">event types</a>, <a href="openapi.json">OpenAPI</a> (<a href="docs">its page</a>).</p>
${sections}
</body></html>
`;
}

function section(eventType: EventType): string {
  const { name, version, owner, compatibilityMode, routes } = eventType;
  return `<h2 id="${escaped(name)}">${escaped(name)} <small>${escaped(version)}</small></h2>
<p>Owned by ${escaped(owner)}; compatibility mode ${compatibilityMode}. The key of a record is the id of the entity.</p>
<table><thead><tr><th>topic</th><th>partitions</th><th>keeps</th><th>a deletion is</th></tr></thead><tbody>
${routes.map(row).join('\n')}
</tbody></table>
<details><summary>Schema of the value</summary><pre>${escaped(JSON.stringify(eventJsonSchema(eventType), null, 2))}</pre></details>`;
}

function row({ topic, partitions, cleanupPolicy, retentionMs, forms }: Route): string {
  const days = `${Number((retentionMs / 86_400_000).toFixed(2))} days`;
  const keeps =
    cleanupPolicy === 'compact'
      ? `the last record of each key; tombstones for ${days}`
      : `every record for ${days}`;
  const deletion = {
    value: 'an event with the last state',
    tombstone: 'a tombstone',
    skip: 'not told',
  };
  return `<tr><td><code>${escaped(topic)}</code></td><td>${partitions}</td><td>${keeps}</td><td>${deletion[forms.D]}</td></tr>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
