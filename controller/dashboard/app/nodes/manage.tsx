import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import type { ChangeNode, NodeView } from '../../../http/schemas.js';
import { call } from '../api/client.js';
import { Dialog } from '../parts/dialog.js';
import { FailureNote } from '../parts/failure-note.js';
import { fromLabels, toLabels, toList } from '../parts/lists.js';
import { useToast } from '../parts/toasts.js';
import { useIsAdmin } from '../session/session.js';

/** For admins: where a node belongs, and its removal. */
export function Manage({ node }: { node: NodeView }) {
  const [open, setOpen] = useState<'change' | 'remove'>();
  const close = (): void => setOpen(undefined);
  if (!useIsAdmin()) return null;
  return (
    <>
      <button type="button" className="link" onClick={() => setOpen('remove')}>
        Remove …
      </button>
      <button type="button" onClick={() => setOpen('change')}>
        Labels and groups …
      </button>
      {open === 'change' && <ChangeDialog node={node} onClose={close} />}
      {open === 'remove' && <RemoveDialog node={node.node} onClose={close} />}
    </>
  );
}

function addressOf(node: string): string {
  return `/nodes/${encodeURIComponent(node)}`;
}

function ChangeDialog({ node: { node, labels, groups }, onClose }: { node: NodeView; onClose: () => void }) {
  const client = useQueryClient();
  const say = useToast();
  const { mutate, error, isPending } = useMutation({
    mutationFn: (body: ChangeNode) => call('PATCH', addressOf(node), { body }),
    async onSuccess() {
      await client.invalidateQueries({ queryKey: ['nodes'] });
      onClose();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = String(form.get('labels'));
    const odd = toList(text, '\n').find((line) => !/[^=]=/.test(line));
    if (odd === undefined) mutate({ labels: toLabels(text, '\n'), groups: toList(String(form.get('groups'))) });
    else say(`${odd} is not of the form key=value`, { isError: true });
  };
  return (
    <Dialog title={`Labels and groups of ${node}`} onClose={onClose}>
      <form onSubmit={submit}>
        <label>
          Labels, one in a line
          <textarea name="labels" rows={4} defaultValue={fromLabels(labels).join('\n')} placeholder="site=north" />
        </label>
        <label>
          Groups, with commas between
          <input name="groups" defaultValue={groups.join(', ')} placeholder="pumps" />
        </label>
        {error !== null && <FailureNote error={error} />}
        <footer>
          <button type="submit" className="primary" disabled={isPending}>
            Save
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function RemoveDialog({ node, onClose }: { node: string; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const [, navigate] = useLocation();
  const { mutate, error, isPending } = useMutation({
    mutationFn: () => call('DELETE', addressOf(node)),
    onSuccess: () => navigate('/nodes'),
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    mutate();
  };
  return (
    <Dialog title={`Remove ${node}`} onClose={onClose}>
      <form onSubmit={submit}>
        <p className="warning">
          Its key is believed by nobody from then on, its connection ends, and what is open on it ends. What it did
          before stays.
        </p>
        <label>
          Its name, to be sure
          <input autoComplete="off" value={typed} onChange={({ target }) => setTyped(target.value)} />
        </label>
        {error !== null && <FailureNote error={error} />}
        <footer>
          <button type="submit" className="danger" disabled={isPending || typed !== node}>
            Remove it
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
