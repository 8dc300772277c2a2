import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Modal } from './parts/modal.tsx';

/** Asks for the key of the server. Without `onClose` nothing can be done before there is one. */
export function KeyModal({
  onKey,
  onClose,
  fault,
}: {
  readonly onKey: (key: string) => void;
  readonly onClose?: () => void;
  readonly fault: string | null;
}): VNode {
  const [text, setText] = useState('');
  const id = useId();
  return (
    <Modal title="A key is needed" onClose={() => onClose?.()}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() !== '') onKey(text.trim());
        }}
      >
        <p>
          Who may read and write here is in <code>server.keys</code> of freshet.yaml. The key stays
          in this tab and is forgotten when the tab is closed.
        </p>
        {fault !== null && (
          <p class="fault" role="alert">
            {fault}
          </p>
        )}
        <label for={id}>Key</label>
        <input
          id={id}
          type="password"
          autocomplete="off"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <div class="actions">
          {onClose !== undefined && (
            <button type="button" onClick={onClose}>
              Cancel
            </button>
          )}
          <button type="submit" class="primary">
            Use this key
          </button>
        </div>
      </form>
    </Modal>
  );
}
