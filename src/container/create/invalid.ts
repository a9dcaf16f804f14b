import { EngineError } from '../../errors/index.ts';

export function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}
