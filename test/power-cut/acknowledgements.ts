import { EventEmitter } from 'node:events';

/** When answers of the engine arrived here; emits `one` for each. */
export class Acknowledgements extends EventEmitter {
  count = 0;
  lastAt = 0;

  readonly add = (): void => {
    this.count += 1;
    this.lastAt = performance.now();
    this.emit('one');
  };
}
