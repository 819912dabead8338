/** A finding that is known, and why nothing has to be done about it. Read again at each release: when it is mended, it goes. */
export interface ExplainedFinding {
  /** `GHSA-xxxx-xxxx-xxxx`. */
  readonly advisory: string;
  readonly package: string;
  readonly why: string;
}

/** What `npm audit` found and nobody has explained; or why it could not be asked. */
export type AuditVerdict =
  | { readonly kind: 'unknown'; readonly why: string }
  | {
      readonly kind: 'judged';
      /** One line each. */
      readonly unexplained: readonly string[];
      /** Explanations of what is not found any more. */
      readonly outdated: readonly string[];
    };

interface AuditReport {
  readonly vulnerabilities?: Readonly<
    Record<string, { readonly via: readonly (string | Advisory)[] }>
  >;
  readonly message?: string;
}
interface Advisory {
  readonly url: string;
  readonly title: string;
  readonly severity: string;
  readonly name: string;
  readonly range: string;
}

/** Judges the output of `npm audit --json`. A registry that cannot be asked is not a clean one. */
export function judgeAudit(output: string, explained: readonly ExplainedFinding[]): AuditVerdict {
  let report: AuditReport;
  try {
    report = JSON.parse(output) as AuditReport;
  } catch {
    return { kind: 'unknown', why: output.trim().slice(0, 200) || 'it said nothing' };
  }
  const { vulnerabilities } = report;
  if (vulnerabilities === undefined)
    return { kind: 'unknown', why: report.message ?? 'its answer has no findings' };
  const found = new Map<string, Advisory>();
  for (const { via } of Object.values(vulnerabilities))
    for (const each of via)
      // A name says that the finding is one of a dependency, which is listed itself.
      if (typeof each !== 'string') found.set(`${advisoryOf(each)} ${each.name}`, each);
  const known = new Set(explained.map((each) => `${each.advisory} ${each.package}`));
  return {
    kind: 'judged',
    unexplained: [...found].flatMap(([id, { severity, title, range, url }]) =>
      known.has(id) ? [] : [`${severity}: ${id} (${range}): ${title}, ${url}`],
    ),
    outdated: [...known].filter((id) => !found.has(id)),
  };
}

function advisoryOf({ url }: Advisory): string {
  return url.slice(url.lastIndexOf('/') + 1);
}
