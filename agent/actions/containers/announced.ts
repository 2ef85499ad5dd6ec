import { ContainerReference, PROTECTED_LABEL } from '../../../protocol/containers.js';
import type { Capabilities } from '../../../protocol/messages/capabilities.js';
import type { ListedContainer } from './answers.js';
import { clip } from './clip.js';
import { listedName } from './container-list.js';
import { announcedLabels } from './labels.js';
import { toStatus } from './state.js';
import type { Difference } from './telling.js';

/** A container as it is announced. */
export type AnnouncedContainer = Readonly<{
  id: string;
  /** Absent when it is none that a request could say. */
  name?: string;
  image: string;
  state: string;
  labels: Readonly<Record<string, string>>;
}>;

/** What a list says that the one before did not. The order goes by what containers do, and counts for nothing. */
export function differenceOf(
  before: Capabilities['containers'] | undefined,
  after: Capabilities['containers'],
): Difference {
  if (before === undefined || whichOf(before) !== whichOf(after)) return 'containers';
  return JSON.stringify(before) === JSON.stringify(after) ? 'nothing' : 'states';
}

/** All that is said but what they do. */
function whichOf(containers: Capabilities['containers']): string {
  const each = containers.map(({ id, name, image, labels }) => JSON.stringify([id, name, image, labels]));
  return each.sort().join();
}

/** What is announced of these: the protected first and then those that run, so that what matters least has no room. */
export function toAnnounced(listed: readonly ListedContainer[]): Capabilities['containers'] {
  return listed
    .map(
      (each): AnnouncedContainer => ({
        id: each.Id,
        ...nameOf(each),
        image: clip(each.Image ?? '', 256),
        state: toStatus(each.State),
        labels: announcedLabels(each.Labels),
      }),
    )
    .sort((a, b) => rankOf(a) - rankOf(b) || (a.id < b.id ? -1 : 1));
}

function nameOf(listed: ListedContainer): { name?: string } {
  const name = ContainerReference.safeParse(listedName(listed));
  return name.success ? { name: name.data } : {};
}

function rankOf({ labels, state }: AnnouncedContainer): number {
  if (labels[PROTECTED_LABEL] === 'true') return 0;
  return state === 'running' ? 1 : 2;
}
