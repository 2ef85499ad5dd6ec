import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { ChangeNode, NodeView } from '../../../http/schemas.js';
import { call } from '../api/client.js';
import { Dialog } from '../parts/dialog.js';
import { DialogForm } from '../parts/dialog-form.js';
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
  const submit = (form: FormData): void => {
    const text = String(form.get('labels'));
    const odd = toList(text, '\n').find((line) => !/[^=]=/.test(line));
    if (odd !== undefined) say(`${odd} is not of the form key=value`, { isError: true });
    else
      mutate(
        changeOf({ labels, groups }, { labels: toLabels(text, '\n'), groups: toList(String(form.get('groups'))) }),
      );
  };
  return (
    <Dialog title={`Labels and groups of ${node}`} onClose={onClose}>
      <DialogForm onSubmit={submit} onCancel={onClose} submit="Save" isOff={isPending} error={error}>
        <label>
          Labels, one in a line
          <textarea name="labels" rows={4} defaultValue={fromLabels(labels).join('\n')} placeholder="site=north" />
        </label>
        <label>
          Groups, with commas between
          <input name="groups" defaultValue={groups.join(', ')} placeholder="pumps" />
        </label>
      </DialogForm>
    </Dialog>
  );
}

/** Only what is another by now: what somebody else has changed meanwhile stays as they have left it. */
function changeOf(
  before: Pick<NodeView, 'labels' | 'groups'>,
  { labels, groups }: Pick<NodeView, 'labels' | 'groups'>,
): ChangeNode {
  const isSame = (one: readonly string[], other: readonly string[]): boolean =>
    one.length === other.length && one.every((each) => other.includes(each));
  return {
    ...(isSame(fromLabels(labels), fromLabels(before.labels)) ? {} : { labels }),
    ...(isSame(groups, before.groups) ? {} : { groups }),
  };
}

function RemoveDialog({ node, onClose }: { node: string; onClose: () => void }) {
  const [typed, setTyped] = useState('');
  const [, navigate] = useLocation();
  const { mutate, error, isPending } = useMutation({
    mutationFn: () => call('DELETE', addressOf(node)),
    onSuccess: () => navigate('/nodes'),
  });
  return (
    <Dialog title={`Remove ${node}`} onClose={onClose}>
      <DialogForm
        onSubmit={() => mutate()}
        onCancel={onClose}
        submit="Remove it"
        isOff={isPending || typed !== node}
        isDanger
        error={error}
      >
        <p className="warning">
          Its key is believed by nobody from then on, its connection ends, and what is open on it ends. What it did
          before stays.
        </p>
        <label>
          Its name, to be sure
          <input autoComplete="off" value={typed} onChange={({ target }) => setTyped(target.value)} />
        </label>
      </DialogForm>
    </Dialog>
  );
}
