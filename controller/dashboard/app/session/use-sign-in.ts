import { useCallback, useEffect, useState } from 'react';
import { call, type Failure } from '../api/client.js';
import { useFragmentLocation } from '../parts/fragment-location.js';

/** How far signing in is. */
export type SigningIn = Readonly<{
  error: Failure | undefined;
  isBusy: boolean;
  /** Tries it with what proves who it is, as the body of POST /auth/session. */
  signIn: (proof: unknown) => void;
  /** Takes the error away. */
  giveUp: () => void;
}>;

/** Signs in with what somebody types; at once when the address brings a link's code, or comes from the provider. */
export function useSignIn(onDone: () => void): SigningIn {
  const [error, setError] = useState<Failure>();
  const [isBusy, setBusy] = useState(false);
  const [path, navigate] = useFragmentLocation();
  const signIn = useCallback(
    (body: unknown): void => {
      setBusy(true);
      setError(undefined);
      call('POST', '/auth/session', { body })
        .then(onDone, setError)
        .finally(() => setBusy(false));
    },
    [onDone],
  );
  useEffect(() => {
    if (path !== '/sign-in') return;
    const proof = fromAddress();
    navigate('/', { replace: true }); // a code works once, and stays in no history
    signIn(proof);
  }, [path, navigate, signIn]);
  return { error, isBusy, signIn, giveUp: () => setError(undefined) };
}

/** What the fragment says that there is to sign in with; it reaches no server and no log. */
function fromAddress(): unknown {
  const code = new URLSearchParams(location.hash.split('?')[1]).get('code');
  return code === null ? { oidc: true } : { code };
}
