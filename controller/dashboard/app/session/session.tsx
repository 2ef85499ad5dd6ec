import { type QueryClient, useQuery, useQueryClient } from '@tanstack/react-query';
import { createContext, useCallback, useContext } from 'react';
import type { Me } from '../../../http/people-schemas.js';
import { reaches } from '../../../identity/roles.js';
import { call, isSignedOut } from '../api/client.js';
import { SESSION_KEY } from '../api/queries.js';
import { FailureNote } from '../parts/failure-note.js';
import { Shell } from '../shell.js';
import { SignInPage } from './sign-in-page.js';
import { useSignIn } from './use-sign-in.js';

/** From now on nobody is signed in, and what they have seen is not here for the next one. */
export function endSession(client: QueryClient): void {
  client.setQueryData(SESSION_KEY, null);
  forget(client);
}

function forget(client: QueryClient): void {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
}

function nameOf({ org, id }: Me): string {
  return `${org}/${id}`;
}

const MeContext = createContext<Me | undefined>(undefined);

/** Whoever is signed in. */
export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === undefined) throw new Error('Nobody is signed in here');
  return me;
}

/** Whether they may approve, and change what is there. */
export function useIsAdmin(): boolean {
  return reaches(useMe().role, 'admin');
}

/** Whether they may ask for actions. */
export function useMayAsk(): boolean {
  return reaches(useMe().role, 'operator');
}

/** The page for whoever is signed in, or the one that signs them in. */
export function Session() {
  const client = useQueryClient();
  const { data: me, error } = useQuery({
    queryKey: SESSION_KEY,
    queryFn: readMe,
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: 'always', // somebody else may have signed in beside this page
  });
  const end = useCallback(() => endSession(client), [client]);
  const begin = useCallback(() => {
    endSession(client);
    client.invalidateQueries({ queryKey: SESSION_KEY });
  }, [client]);
  const signingIn = useSignIn(begin);
  if (me === null || signingIn.isBusy) return <SignInPage signingIn={signingIn} />;
  if (me !== undefined && signingIn.error !== undefined) {
    return (
      <main className="sign-in">
        <FailureNote error={signingIn.error} />
        <button type="button" onClick={signingIn.giveUp}>
          Go on as {me.id}
        </button>
      </main>
    );
  }
  if (me !== undefined) {
    return (
      <MeContext value={me}>
        <Shell key={nameOf(me)} onEnd={end} />
      </MeContext>
    );
  }
  return error === null ? <p className="waiting">One moment …</p> : <FailureNote error={error} />;
}

/** Who it is; what another one has seen is not here for them. */
async function readMe({ client, signal }: { client: QueryClient; signal: AbortSignal }): Promise<Me | null> {
  try {
    const me = await call<Me>('GET', '/me', { signal });
    const before = client.getQueryData<Me | null>(SESSION_KEY) ?? me;
    if (nameOf(before) !== nameOf(me)) forget(client);
    return me;
  } catch (error) {
    if (isSignedOut(error)) return null;
    throw error;
  }
}
