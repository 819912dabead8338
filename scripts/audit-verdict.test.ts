import { expect, it } from 'vitest';
import { judgeAudit } from './audit-verdict.ts';

const report = (...packages: readonly string[]) =>
  JSON.stringify({
    vulnerabilities: Object.fromEntries(
      packages.map((name) => [
        name,
        {
          via: [
            'another',
            {
              ...{ name, title: 'It breaks', severity: 'high', range: '<2' },
              url: `https://github.com/advisories/GHSA-${name}`,
            },
          ],
        },
      ]),
    ),
  });
const explained = [{ advisory: 'GHSA-left', package: 'left', why: 'we never call it' }];

it('a finding that nobody has explained is named, with its advisory', () => {
  expect(judgeAudit(report('left', 'right'), explained)).toEqual({
    kind: 'judged',
    unexplained: [
      'high: GHSA-right right (<2): It breaks, https://github.com/advisories/GHSA-right',
    ],
    outdated: [],
  });
});

it('an explanation of what is not found any more is named, so that it goes', () => {
  expect(judgeAudit(report(), explained)).toEqual({
    kind: 'judged',
    unexplained: [],
    outdated: ['GHSA-left left'],
  });
});

it.each([
  ['{"message":"405 Method Not Allowed"}', '405 Method Not Allowed'],
  ['', 'it said nothing'],
  ['npm error', 'npm error'],
])('a registry that cannot be asked is unknown, and not clean: %j', (output, why) => {
  expect(judgeAudit(output, [])).toEqual({ kind: 'unknown', why });
});
