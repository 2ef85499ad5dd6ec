import { platform, type } from 'node:os';

/** The operating system, and who we are on it: what decides which programs there are to call. */
export type System = Readonly<{
  platform: NodeJS.Platform;
  /** What it calls itself: Linux, FreeBSD. */
  name: string;
  /** 0 where there are no numbers for users. */
  uid: number;
  isRoot: boolean;
}>;

/** Those of this process. */
export function readSystem(): System {
  const uid = process.getuid?.();
  return { platform: platform(), name: type(), uid: uid ?? 0, isRoot: uid === 0 };
}
