import { EngineError } from '../errors/index.ts';

/**
 * The JSON objects of a stream, whether lines, `\r\n` or nothing stands between them. Throws `internal` for text that
 * is not JSON and for an object that is cut off.
 */
export async function* jsonObjects<T>(source: AsyncIterable<Buffer>): AsyncGenerator<T, void, undefined> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of source) {
    pending += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = pending.indexOf('\n'); end !== -1; end = pending.indexOf('\n', start)) {
      const line = pending.slice(start, end).trim();
      start = end + 1;
      if (line !== '') yield* parsedLine<T>(line);
    }
    pending = pending.slice(start);
  }
  const rest = (pending + decoder.decode()).trim();
  if (rest !== '') yield* parsedLine<T>(rest);
}

function* parsedLine<T>(line: string): Generator<T> {
  for (const text of line.includes('}{') ? splitObjects(line) : [line]) {
    try {
      yield JSON.parse(text) as T;
    } catch (error) {
      throw new EngineError('internal', `The daemon sent a message that is no JSON: ${text.slice(0, 200)}`, {
        cause: error,
      });
    }
  }
}

/** Cuts `{…}{…}` between the objects, minding strings. */
function splitObjects(line: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let inString = false;
  for (let at = 0; at < line.length; at++) {
    const letter = line.charAt(at);
    if (inString) {
      if (letter === '\\') at++;
      else if (letter === '"') inString = false;
      continue;
    }
    if (letter === '"') inString = true;
    else if (letter === '{') depth++;
    else if (letter === '}' && --depth === 0) {
      parts.push(line.slice(start, at + 1));
      start = at + 1;
    }
  }
  const rest = line.slice(start);
  return rest.trim() === '' ? parts : [...parts, rest];
}
