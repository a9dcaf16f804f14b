import { randomInt } from 'node:crypto';
import { EngineError } from '../errors/index.ts';
import { shortId } from '../lib/ids.ts';
import { adjectives, surnames } from './name-words.ts';

const allowed = '[a-zA-Z0-9][a-zA-Z0-9_.-]';
const whole = new RegExp(`^/?${allowed}+$`);
const tries = 6;
/** Docker's only rule of taste. */
const banned = 'boring_wozniak';

/** Checks a container's name and returns it with one leading slash. `invalidArgument` with Docker's text. */
export function parseContainerName(text: string): string {
  if (!whole.test(text)) {
    throw new EngineError('invalidArgument', `Invalid container name (${text}), only ${allowed} are allowed`);
  }
  return text.startsWith('/') ? text : `/${text}`;
}

/** A free name of ours, with a leading slash; after some tries the short id. */
export function generateName(id: string, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; attempt < tries; attempt++) {
    const name = `/${randomName()}${attempt === 0 ? '' : randomInt(10)}`;
    if (!isTaken(name)) return name;
  }
  return `/${shortId(id)}`;
}

function randomName(): string {
  for (;;) {
    const name = `${pick(adjectives)}_${pick(surnames)}`;
    if (name !== banned) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? '';
}
