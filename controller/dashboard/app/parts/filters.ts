import { useSearchParams } from 'wouter';

/** The filters of a page, which stand in its address, so that a link leads to the same rows; an empty one goes. */
export function useFilters<N extends string>(
  names: readonly N[],
): [Readonly<Partial<Record<N, string>>>, (name: N, value: string) => void] {
  const [params, setParams] = useSearchParams();
  const values: Partial<Record<N, string>> = {};
  for (const name of names) {
    const value = params.get(name);
    if (value !== null && value !== '') values[name] = value;
  }
  const set = (name: N, value: string): void =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (value === '') after.delete(name);
        else after.set(name, value);
        return after;
      },
      { replace: true },
    );
  return [values, set];
}
