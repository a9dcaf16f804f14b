import type { Collector } from '../metadata/index.ts';
import type { ContentStore } from './content-store.ts';

/** Sweeps the blobs nobody keeps, and what has come of blobs that nobody is going to finish. */
export function blobCollector(content: ContentStore): Collector {
  return {
    sweep: async (kept) => {
      let freed = 0;
      for await (const { digest, size } of content.list()) {
        const keep = () => kept({ kind: 'blob', id: digest });
        if (!keep() && (await content.delete(digest, keep))) freed += size;
      }
      for await (const { digest, size } of content.partials()) {
        if (!kept({ kind: 'blob', id: digest }) && (await content.dropPartial(digest))) freed += size;
      }
      return freed;
    },
  };
}
