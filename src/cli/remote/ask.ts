import { StringDecoder } from 'node:string_decoder';
import { EngineError } from '../../errors/index.ts';
import type { Context } from '../command.ts';

const enter = /[\r\n]/;
const [interrupt, endOfFile, erase] = ['\u0003', '\u0004', '\u007f'];

/** Asks for one line on a terminal; `secret` shows nothing of it. Throws `cancelled` for Ctrl-C and Ctrl-D. */
export async function ask(
  context: Context,
  question: string,
  options: { readonly secret: boolean },
): Promise<string> {
  const { stdin, stderr } = context;
  if (!stdin.isTTY) {
    throw new EngineError('invalidArgument', 'Cannot perform an interactive login from a non TTY device');
  }
  stderr.write(question);
  stdin.setRawMode(true);
  const decoder = new StringDecoder();
  let line = '';
  try {
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const letter of decoder.write(chunk as Buffer)) {
        if (enter.test(letter)) return line;
        if (letter === interrupt || letter === endOfFile) throw new EngineError('cancelled', 'cancelled');
        if (letter === erase) {
          if (line !== '' && !options.secret) stderr.write('\b \b');
          line = line.slice(0, -1);
        } else {
          line += letter;
          if (!options.secret) stderr.write(letter);
        }
      }
    }
    return line;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

/** All of stdin, without the line end that `echo` and editors add. */
export async function readSecret(context: Context): Promise<string> {
  let text = '';
  for await (const chunk of context.stdin) text += String(chunk);
  return text.replace(/\r?\n$/, '');
}
