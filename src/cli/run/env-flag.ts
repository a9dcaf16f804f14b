import { EngineError } from '../../errors/index.ts';
import { checkedList } from '../flag-kinds.ts';

export const envFlag = checkedList('list', 'Set environment variables', {
  short: 'e',
  check: (entry) => {
    if (entry === '' || entry.startsWith('=')) {
      throw new EngineError('invalidArgument', `invalid environment variable: ${entry}`);
    }
    return entry;
  },
});
