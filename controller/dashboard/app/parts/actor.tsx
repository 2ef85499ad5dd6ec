import { useQuery } from '@tanstack/react-query';
import { sandboxQuery } from '../api/queries.js';
import { sandboxOf } from './words.js';

/** Who asked or acted; of a sandbox that it is a program, and what it is called. */
export function Actor({ id }: { id: string }) {
  const sandbox = sandboxOf(id);
  return sandbox === undefined ? id : <Program id={sandbox} />;
}

function Program({ id }: { id: string }) {
  const { data } = useQuery(sandboxQuery(id));
  return <span title={id}>the program {data?.name ?? id} (a sandbox)</span>;
}
