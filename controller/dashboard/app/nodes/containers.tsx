import type { ContainerView } from '../../../http/container-schemas.js';
import type { Wish } from '../run/run-dialog.js';

const VERBS = ['container_logs', 'container_restart', 'container_stop', 'container_start'] as const;

/** The containers of a node, each with what may be asked of it. */
export function Containers({
  containers,
  onRun,
}: {
  containers: readonly ContainerView[];
  onRun: ((wish: Wish) => void) | undefined;
}) {
  if (containers.length === 0) return null;
  return (
    <section className="card">
      <h2>Containers</h2>
      <ul className="plain">
        {containers.map(({ id, name, image, state }) => (
          <li key={id} className="offer">
            <span>
              <strong>{name ?? id.slice(0, 12)}</strong> <span className="hint">{state}</span>
              <br />
              <small>{image}</small>
            </span>
            {onRun !== undefined && (
              <span className="verbs">
                {VERBS.filter((verb) => verb !== (state === 'running' ? 'container_start' : 'container_stop')).map(
                  (action) => (
                    <button key={action} type="button" onClick={() => onRun({ action, parameters: { container: id } })}>
                      {action.replace('container_', '')} …
                    </button>
                  ),
                )}
              </span>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
