import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, Redirect, Route, Router, Switch, useLocation } from 'wouter';
import { reaches } from '../../identity/roles.js';
import { call, isSignedOut } from './api/client.js';
import { type LiveState, useLive } from './api/live.js';
import { ApprovalsBanner } from './approvals/approvals-banner.js';
import { PAGES } from './pages.js';
import { FaultBoundary } from './parts/fault-boundary.js';
import { useFragmentLocation, useFragmentSearch } from './parts/fragment-location.js';
import { Logo } from './parts/logo.js';
import { useToast } from './parts/toasts.js';
import { useMe } from './session/session.js';

/** The frame of every page: where one can go, who one is, and what waits for a person. */
export function Shell({ onEnd }: { onEnd: () => void }) {
  const live = useLive(onEnd);
  const { role } = useMe();
  return (
    <Router hook={useFragmentLocation} searchHook={useFragmentSearch}>
      <header className="top">
        <Link href="/nodes" className="brand">
          <Logo /> Muster
        </Link>
        <Navigation />
        <LiveMark state={live} />
        <UserMenu onEnd={onEnd} />
      </header>
      <ApprovalsBanner />
      <main>
        <Switch>
          {PAGES.map(({ path, Page, least = 'viewer' }) => (
            <Route key={path} path={path}>
              {reaches(role, least) ? (
                <FaultBoundary key={path}>
                  <Page />
                </FaultBoundary>
              ) : (
                <h1>This page needs the role {least}</h1>
              )}
            </Route>
          ))}
          <Route path="/">
            <Redirect to="/nodes" replace />
          </Route>
          <Route>
            <h1>There is no such page</h1>
          </Route>
        </Switch>
      </main>
    </Router>
  );
}

function Navigation() {
  const [location] = useLocation();
  const { role } = useMe();
  return (
    <nav className="pages" aria-label="Pages">
      {PAGES.flatMap(({ path, name, least = 'viewer' }) =>
        name === undefined || !reaches(role, least) ? (
          []
        ) : (
          <Link key={path} href={path} aria-current={location.startsWith(path) ? 'page' : undefined}>
            {name}
          </Link>
        ),
      )}
    </nav>
  );
}

const LIVE_WORDS: Readonly<Record<LiveState, string>> = {
  connecting: 'connecting',
  live: 'live',
  away: 'no connection, trying again',
};

function LiveMark({ state }: { state: LiveState }) {
  return (
    <span className={`live ${state}`} role="status">
      {LIVE_WORDS[state]}
    </span>
  );
}

function UserMenu({ onEnd }: { onEnd: () => void }) {
  const { id, role, org } = useMe();
  const client = useQueryClient();
  const say = useToast();
  const { mutate: signOut, isPending } = useMutation({
    async mutationFn() {
      await client.cancelQueries();
      await call('DELETE', '/auth/session');
    },
    onSuccess: onEnd,
    onError(error) {
      if (isSignedOut(error)) return;
      say(`You are still signed in: ${error.message}`, { isError: true }); // the cookie is out of the page's reach
      client.invalidateQueries();
    },
  });
  return (
    <span className="user">
      <span title={`${org}: ${role}`}>{id}</span>
      <button type="button" className="link" disabled={isPending} onClick={() => signOut()}>
        Sign out
      </button>
    </span>
  );
}
