import { text } from './flags.ts';

/** `--platform` of what makes a container or an image; `platform` of the configuration is its default. */
export const platformFlag = text('Set platform if server is multi-platform capable');

/** Of a call; '' leaves the choice to the daemon. */
export function platformOf(platform: string): { readonly platform?: string } {
  return platform === '' ? {} : { platform };
}
