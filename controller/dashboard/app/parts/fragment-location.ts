import { useSyncExternalStore } from 'react';

/**
 * Where one is, for the router: path and query stand in the fragment of the address, `#/nodes?q=pump`. So the page is
 * one document wherever it is served, and no server has to know its paths.
 */
export function useFragmentLocation(): [string, (to: string, options?: Readonly<{ replace?: boolean }>) => void] {
  return [useSyncExternalStore(subscribe, readPath), navigate];
}

/** The address of a path of the page. */
useFragmentLocation.hrefs = (path: string): string => `#${path}`;

/** The query of the fragment, without its question mark. */
export function useFragmentSearch(): string {
  return useSyncExternalStore(subscribe, readSearch);
}

function subscribe(onChange: () => void): () => void {
  addEventListener('hashchange', onChange);
  addEventListener('popstate', onChange);
  return () => {
    removeEventListener('hashchange', onChange);
    removeEventListener('popstate', onChange);
  };
}

function readPath(): string {
  return `/${location.hash.replace(/^#?\/?/, '').split('?', 1)[0]}`;
}

function readSearch(): string {
  return location.hash.split('?').slice(1).join('?');
}

/** `history` says nothing of what it is told, so everybody who listens is told here. */
function navigate(to: string, { replace = false } = {}): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', `#${to}`);
  dispatchEvent(new PopStateEvent('popstate'));
}
