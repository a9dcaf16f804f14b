import { enableCompileCache } from 'node:module';

// Node keeps the stripped and compiled sources between runs, which halves the time to start.
enableCompileCache(`${import.meta.dirname}/../../node_modules/.cache/gantry`);

const [first, ...others] = process.argv.slice(2);
if (others.length === 0 && (first === '--version' || first === '-v')) {
  const { gantryVersion } = await import('../config/index.ts');
  process.stdout.write(`Gantry version ${gantryVersion}\n`);
} else {
  const { runCli } = await import('./run-cli.ts');
  await runCli(process.argv.slice(2));
}
