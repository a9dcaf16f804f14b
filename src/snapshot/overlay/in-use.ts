import type { View } from './private-mounts.ts';

/** Counts the views that stand on each layer directory, so that none is taken from under them. */
export class ViewedLayers {
  readonly #counts = new Map<string, number>();

  /** The view, which counts for these directories until it is disposed. */
  track(directories: readonly string[], view: View): View {
    this.#add(directories, 1);
    let open = true;
    return {
      root: view.root,
      [Symbol.asyncDispose]: async () => {
        await view[Symbol.asyncDispose]();
        if (open) this.#add(directories, -1);
        open = false;
      },
    };
  }

  has(directory: string): boolean {
    return this.#counts.has(directory);
  }

  #add(directories: readonly string[], change: 1 | -1): void {
    for (const directory of directories) {
      const count = (this.#counts.get(directory) ?? 0) + change;
      if (count === 0) this.#counts.delete(directory);
      else this.#counts.set(directory, count);
    }
  }
}
