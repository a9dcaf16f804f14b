import { EngineError } from '../errors/index.ts';
import { defineCommand } from './command.ts';
import { text } from './flags.ts';

/** The edge where the CLI meets the registry server; what it imports is loaded only to serve. */
export const registryServeCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Run a registry',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    host: text('Address to listen on, ADDRESS:PORT', { initial: '127.0.0.1:5000' }),
    root: text('Directory of the content'),
  },
  async run({ values }) {
    if (values.root === '') throw new EngineError('invalidArgument', '--root is needed');
    const { serveRegistry } = await import('../registry/server/serve.ts');
    await serveRegistry({ root: values.root, host: values.host });
    return 0;
  },
});
