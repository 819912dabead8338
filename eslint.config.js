import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const nothingImportsATest = { group: ['**/*.test.ts'], message: 'Nothing imports a test.' };

const stageImport = (...groups) => [
  'error',
  {
    patterns: groups.map((group) => ({
      group: [group],
      message: 'A stage never imports a later one (DESIGN.md, "One direction").',
    })),
  },
];

/**
 * Type-aware on purpose: the one defect that loses data here is an un-awaited promise near a publish
 * or an ack, and only the types can show it. test/lint/ proves that the rule bites.
 */
export default tseslint.config(
  { ignores: ['**/dist/', '**/generated/', 'node_modules/', '.data/', 'test/lint/fixtures/'] },
  js.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['eslint.config.js'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        { ignoreVoid: false, checkThenables: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Only main.ts reads the environment; pass values in.',
        },
        {
          object: 'sql',
          property: 'raw',
          message: 'Parameters only: sql.raw puts text into a statement.',
        },
      ],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            nothingImportsATest,
            {
              group: ['kafkajs', 'kafkajs/*', 'pg-logical-replication'],
              message: 'Behind a port: see DESIGN.md.',
            },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Literal[value=/^kafkajs.(src|package)/]',
          message: 'The insides of kafkajs are touched in kafkajs-internals.ts alone.',
        },
      ],
      'max-lines': ['error', { max: 400 }],
    },
  },
  {
    files: [
      '**/main.ts',
      '**/migrate.ts',
      '**/provision.ts',
      'scripts/**',
      'demo/**',
      'bench/**',
      'test/**',
      '**/*.test.ts',
      'packages/local-stack/**',
      'vitest.config.ts',
    ],
    rules: { 'no-restricted-properties': 'off', 'no-console': 'off' },
  },
  {
    // Tests, benchmarks and the demonstration have kafkajs as a stranger: a peer, a judge, or what is measured against.
    files: ['**/*.test.ts', '**/test-support/**', 'test/**', 'bench/**', 'demo/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: [nothingImportsATest] }],
      'no-restricted-syntax': 'off',
    },
  },
  {
    files: ['packages/kafka/src/connection/kafkajs-internals.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  {
    files: ['services/relay/src/wal/**'],
    rules: {
      'no-restricted-imports': stageImport('**/outbox/**', '**/kafka/**', '**/ack/**', 'kafkajs'),
    },
  },
  {
    files: ['services/relay/src/outbox/**'],
    rules: {
      'no-restricted-imports': stageImport(
        '**/kafka/**',
        '**/ack/**',
        'kafkajs',
        'pg-logical-replication',
      ),
    },
  },
  {
    files: ['services/relay/src/ack/**'],
    rules: { 'no-restricted-imports': stageImport('kafkajs', 'pg-logical-replication') },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
