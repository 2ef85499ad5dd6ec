import { Labels } from '../../../protocol/selectors.js';
import { clip } from './clip.js';
import { REDACTED, showValue } from './secrets.js';

/** An announcement carries so many labels of a container, and a report so many. */
const MAX_ANNOUNCED = 32;
const MAX_SHOWN = 200;

/** What tools write for themselves: long, many, and no ground for a rule. */
const OF_TOOLS =
  /^(com\.docker\.(?!compose\.(project|service)$)|org\.opencontainers\.|org\.label-schema\.|io\.(buildah|podman|kubernetes)\.|desktop\.docker\.)/;

type Given = Readonly<Record<string, string>> | null | undefined;

/** The labels as a report shows them. */
export function showLabels(labels: Given): Record<string, string> {
  const entries = Object.entries(labels ?? {}).slice(0, MAX_SHOWN);
  return Object.fromEntries(entries.map(([key, value]) => [clip(key, 256), clip(showValue(key, value))]));
}

/** The labels by which a policy may know a container: ours first, those of tools and what looks like a secret not at all. */
export function announcedLabels(labels: Given): Record<string, string> {
  const entries = Object.entries(labels ?? {}).filter(
    ([key, value]) =>
      !OF_TOOLS.test(key) && Labels.safeParse({ [key]: value }).success && !showValue(key, value).includes(REDACTED),
  );
  const isOurs = ([key]: readonly [string, string]): number => (key.startsWith('muster.') ? 0 : 1);
  return Object.fromEntries(entries.sort((a, b) => isOurs(a) - isOurs(b)).slice(0, MAX_ANNOUNCED));
}
