import jupyter from '@jupyter/eslint-plugin';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  {
    ignores: [
      '.*/**',
      'node_modules/**',
      'labextension/lib/**',
      'labextension/src/api/schema.ts',
      'src/**',
      'docs/**'
    ]
  },
  tseslint.configs.recommended,
  {
    files: ['labextension/**/*.{ts,tsx,mts}'],
    plugins: { 'react-hooks': hooks, jupyter },
    rules: {
      ...hooks.configs.recommended.rules,
      ...jupyter.configs.recommended.rules,
      eqeqeq: 'error',
      curly: 'error',
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }]
    }
  }
);
