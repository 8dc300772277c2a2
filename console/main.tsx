import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { ThemeProvider } from './theme.tsx';

render(
  <ThemeProvider>
    <App />
  </ThemeProvider>,
  document.getElementById('app') as HTMLElement,
);
