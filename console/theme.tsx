import { type ComponentChildren, createContext, type VNode } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';

export type Theme = 'system' | 'light' | 'dark';

interface ThemeState {
  readonly chosen: Theme;
  /** What that means now. */
  readonly shown: 'light' | 'dark';
  readonly choose: (theme: Theme) => void;
}

const KEY = 'freshet-theme';
const DARK = '(prefers-color-scheme: dark)';

const Context = createContext<ThemeState | null>(null);

export function useTheme(): ThemeState {
  return useContext(Context) as ThemeState;
}

/** Light or dark, as the system says or as was chosen here; kept in this browser. */
export function ThemeProvider({ children }: { readonly children: ComponentChildren }): VNode {
  const [chosen, setChosen] = useState<Theme>(stored);
  const [isDark, setIsDark] = useState(() => matchMedia(DARK).matches);
  useEffect(() => {
    const query = matchMedia(DARK);
    const onChange = (): void => setIsDark(query.matches);
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, []);
  const shown = chosen === 'system' ? (isDark ? 'dark' : 'light') : chosen;
  // Before the children draw: charts read the colours of the theme.
  document.documentElement.dataset['theme'] = shown;
  const choose = (theme: Theme): void => {
    localStorage.setItem(KEY, theme);
    setChosen(theme);
  };
  return <Context.Provider value={{ chosen, shown, choose }}>{children}</Context.Provider>;
}

function stored(): Theme {
  const text = localStorage.getItem(KEY);
  return text === 'light' || text === 'dark' ? text : 'system';
}
