import neostandard, { plugins } from 'neostandard'

export default [
  { ignores: ['dist/**', '.tap/**', 'src/client/generated.ts'] },
  ...neostandard({ ts: true }),
  // A TypeBox schema and the type it stands for share one name.
  { rules: { '@typescript-eslint/no-redeclare': 'off' } },
  {
    files: ['src/**/*.ts', 'schema/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      'max-params': ['error', 4],
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }]
    }
  },
  { files: ['src/**/*.ts'], ignores: ['src/cli.ts', 'src/changelog/sqlite/driver.ts'], rules: { 'no-restricted-globals': ['error', 'process'] } }
]
