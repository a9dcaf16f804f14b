import type { StoreProblem } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { objectFormat } from '../flag-kinds.ts';
import { bool } from '../flags.ts';

export const storeCheckCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Verify every blob, layer and row of the store',
  details:
    'It can run while the engine works. The exit code is 1 when problems remain.\n' +
    '--repair unpacks damaged layers again from their blobs, makes lost configs and manifests again, and drops what\n' +
    'belongs to nothing.',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    format: objectFormat(),
    quiet: bool('Only show problems', { short: 'q' }),
    repair: bool('Mend what can be mended'),
  },
  async run({ context, values }) {
    const { stdout, stderr } = context;
    if (values.format !== '' && values.format !== 'json') {
      throw new EngineError('invalidArgument', 'the format can only be json');
    }
    const { store } = await context.client();
    const progress =
      stderr.isTTY && !values.quiet ? (text: string) => stderr.write(`\r\u001b[2K${text}`) : undefined;
    for await (const message of store.check(values.repair ? { repair: true } : {})) {
      if (values.format === 'json') stdout.write(`${JSON.stringify(message)}\n`);
      if ('Progress' in message) progress?.(`${message.Progress.Checked} ${message.Progress.What}`);
      else progress?.('');
      if ('Problem' in message && values.format === '') stdout.write(problemText(message.Problem));
      if (!('Summary' in message)) continue;
      const { Checked, Mended, Remaining } = message.Summary;
      if (values.format === '' && !values.quiet) {
        stdout.write(`${Checked} objects checked, ${Mended} problems mended, ${Remaining} remaining\n`);
      }
      return Remaining === 0 ? 0 : 1;
    }
    throw new EngineError('internal', 'the check was cut short');
  },
});

function problemText({ Object: kind, ID, Problem, Mended, Note }: StoreProblem): string {
  const note = Note === undefined ? '' : ` (${Note})`;
  return `${Mended ? 'mended' : 'PROBLEM'}: ${kind} ${ID} ${Problem}${note}\n`;
}
