import assert from 'node:assert/strict';
import test from 'node:test';
import { printProgress } from './progress.ts';

for (const [isTTY, printed] of [
  [true, '\u001b[91mfailing\n\u001b[0mown \u001b[31mred\u001b[0m\n'],
  [false, 'failing\nown \u001b[31mred\u001b[0m\n'],
] as const) {
  test(`printProgress() ${isTTY ? 'keeps' : 'drops'} the colour of standard error where isTTY is ${isTTY}`, async () => {
    async function* messages() {
      yield { stream: '\u001b[91mfailing\n\u001b[0m' };
      yield { stream: 'own \u001b[31mred\u001b[0m\n' };
    }
    let written = '';
    await printProgress(messages(), { write: (text) => (written += text), isTTY });
    assert.equal(written, printed);
  });
}
