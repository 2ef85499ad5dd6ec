import { readFileSync } from 'node:fs';

/** Who may ask over the local socket, and what they are called. */
export type Users = Readonly<{
  /** Root, the agent's own user, and those of `agent.local_users`. */
  isAllowed: (uid: number) => boolean;
  /** The name of a uid, or the uid itself. */
  nameOf: (uid: number) => string;
  /** Entries of `agent.local_users` that name nobody. */
  unknown: () => string[];
}>;

/** `listed` holds names and uids. The file is read at each look, so that a new user needs no restart. */
export function createUsers({
  listed,
  ownUid,
  passwd = '/etc/passwd',
}: {
  listed: readonly string[];
  ownUid: number;
  passwd?: string;
}): Users {
  const uidOf = (entry: string): number | undefined =>
    /^\d{1,10}$/.test(entry) ? Number(entry) : readUsers(passwd).find(({ name }) => name === entry)?.uid;
  return {
    isAllowed: (uid) => uid === 0 || uid === ownUid || listed.some((entry) => uidOf(entry) === uid),
    nameOf: (uid) => readUsers(passwd).find((user) => user.uid === uid)?.name ?? `uid ${uid}`,
    unknown: () => listed.filter((entry) => uidOf(entry) === undefined),
  };
}

/** Users of this machine itself; whoever comes from a directory service is listed by uid. */
function readUsers(passwd: string): { name: string; uid: number }[] {
  let text = '';
  try {
    text = readFileSync(passwd, 'utf8');
  } catch {
    // A system without the file has users without names.
  }
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = ''] = line.split(':');
    return name !== '' && /^\d{1,10}$/.test(uid) ? [{ name, uid: Number(uid) }] : [];
  });
}
