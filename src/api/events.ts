export type EventType = 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'builder';

/** One line of `GET /events`. */
export interface EventMessage {
  readonly Type: EventType;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Unix seconds. */
  readonly time: number;
  readonly timeNano: number;
}
