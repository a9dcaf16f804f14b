import { EngineError, isCode, messageOf } from '../../errors/index.ts';
import { familiarName, familiarString, type Reference } from '../../oci/index.ts';
import { failureOf } from '../../registry/index.ts';

/** What a registry refused, in the words `docker pull` has for it. Other errors pass as they are. */
export function pullError(error: unknown, reference: Reference): unknown {
  const failure = failureOf(error);
  if (failure === undefined) return error;
  const said = messageOf(error);
  const name = familiarName(reference);
  switch (failure.code) {
    case 'DENIED':
      return notFound(
        `pull access denied for ${name}, repository does not exist or may require 'docker login': ${said}`,
        error,
      );
    case 'MANIFEST_UNKNOWN':
      return notFound(`manifest for ${familiarString(reference)} not found: ${said}`, error);
    case 'NAME_UNKNOWN':
      return notFound(`repository ${name} not found: ${said}`, error);
    default:
      if (isCode(error, 'notFound')) {
        return notFound(
          `manifest for ${familiarString(reference)} not found: manifest unknown: manifest unknown`,
          error,
        );
      }
      return error;
  }
}

function notFound(text: string, cause: unknown): EngineError {
  return new EngineError('notFound', text, { cause });
}
