// SPDX-License-Identifier: AGPL-3.0-or-later
import tailwindcss from '@tailwindcss/vite';
import vue from '@vitejs/plugin-vue';
import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the pages from here and asks the server at HUTONG for the rest.
const server = process.env.HUTONG ?? 'http://127.0.0.1:8000';
const api = ['admin/', 'auth', 'chat', 'docs', 'files', 'groups', 'health', 'keys', 'live', 'messages',
  'openapi.json', 'places', 'posts', 'search/', 'town', 'usage', 'users', 'wikis', 'lang/'];

/** Tells the service worker which files the app needs to open, and a name that changes with them. */
function shellFiles(): Plugin {
  return {
    name: 'shell-files',
    generateBundle(_, bundle) {
      // What draws diagrams is heavy, and a page of its own: nothing of it is kept. Nor are the server's
      // sentences in Chinese: without the server there are none, and English readers never need them.
      const ofApp = new Set<string>();
      const follow = (name: string): void => {
        const part = bundle[name];
        if (part?.type !== 'chunk' || part.name === 'zh-CN-server' || ofApp.has(name)) return;
        ofApp.add(name);
        for (const next of [...part.imports, ...part.dynamicImports]) follow(next);
      };
      for (const part of Object.values(bundle)) if (part.type === 'chunk' && part.isEntry && part.name !== 'diagram') follow(part.fileName);
      const files = Object.keys(bundle)
        .filter((name) => name.startsWith('assets/') && !name.startsWith('assets/heavy') && (bundle[name]?.type === 'asset' || ofApp.has(name)))
        .sort()
        .map((name) => `/${name}`);
      const name = `hutong-${createHash('sha256').update(files.join()).digest('hex').slice(0, 12)}`;
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') throw new Error('sw.js was not built');
      worker.code = worker.code
        .replaceAll('__SHELL_FILES__', JSON.stringify(files))
        .replaceAll('__SHELL_NAME__', JSON.stringify(name));
    },
  };
}

/** Puts boot.ts in front of all else, and tells it in which files each page and language is, beyond the app's own. */
function bootFiles(): Plugin {
  let boots = '';
  return {
    name: 'boot-files',
    transformIndexHtml: {
      order: 'post',
      // The app itself is much, and nothing is painted sooner by it: first what is.
      handler: (html, { path }) => (boots && path === '/index.html' ? {
        html: html.replaceAll(/<(script type="module"|link rel="modulepreload") /g, '$&fetchpriority="low" '),
        tags: [{ tag: 'script', attrs: { src: `/${boots}` }, injectTo: 'head-prepend' }],
      } : html),
    },
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((part) => part.type === 'chunk');
      const main = chunks.find((part) => part.isEntry && part.name === 'main');
      const boot = chunks.find((part) => part.facadeModuleId?.endsWith('/src/boot.ts'));
      if (!main || !boot) throw new Error('main.ts or boot.ts was not built');
      const withImports = (file: string, found = new Set<string>()): Set<string> => {
        if (found.has(file)) return found;
        found.add(file);
        for (const next of (bundle[file] as typeof main).imports) withImports(next, found);
        return found;
      };
      const loaded = withImports(main.fileName);
      const files: Record<string, string[]> = {};
      for (const chunk of chunks) {
        const name = /\/src\/(?:pages\/(\w+Page)\.vue|i18n\/(en|zh-CN)\.ts)$/.exec(chunk.facadeModuleId ?? '')?.slice(1).find(Boolean);
        if (name) files[name] = [...withImports(chunk.fileName)].filter((file) => !loaded.has(file)).map((file) => `/${file}`);
      }
      // Its name is kept for a year: it says what is in it, these files too.
      const source = `(()=>{${boot.code.replaceAll('__FILES__', JSON.stringify(files)).trim()}})()`;
      boots = `assets/boot-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.js`;
      delete bundle[boot.fileName];
      this.emitFile({ type: 'asset', fileName: boots, source });
    },
  };
}

export default defineConfig({
  plugins: [vue(), tailwindcss(), bootFiles(), shellFiles()],
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
    __INTLIFY_DROP_MESSAGE_COMPILER__: 'true', // src/i18n/compile.ts
  },
  resolve: {
    alias: [
      { find: '@', replacement: new URL('./src', import.meta.url).pathname },
      // What a browser knows by itself; tests in Node have none.
      ...(process.env.VITEST ? [] : [{ find: /^entities$/, replacement: new URL('./src/text/entities.ts', import.meta.url).pathname }]),
    ],
  },
  build: {
    outDir: '../build/web/dist',
    emptyOutDir: true,
    target: 'es2022',
    // Everything is served under strict rules about where it may come from: nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { main: 'index.html', diagram: 'diagram.html', boot: 'src/boot.ts', sw: 'src/sw.ts' },
      output: {
        // Smaller ones go into what all load: so few that what one page needs stays with that page.
        experimentalMinChunkSize: 4_000,
        // Sentences that are learnt later (src/i18n): so few that they would be put among what all load.
        // The same with the colours of each language of code (src/chat/languages.ts).
        manualChunks: (id) => {
          // What the bundler itself adds for all: not within something heavy that happens to need it.
          if (/commonjsHelpers|vite\/preload-helper/.test(id)) return 'helpers';
          if (id.endsWith('/manage/options.zh-CN.json')) return 'zh-CN-options';
          const code = /\/highlight\.js\/(?:es|lib)\/languages\/(\w+)\.js$/.exec(id);
          return code ? `heavy-code-${code[1]}` : /\/src\/i18n\/([\w-]+)\/later\/(\w+)\.json$/.exec(id)?.slice(1).join('-');
        },
        entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        // PixiJS splits itself; whatever is of it is heavy, and not kept before somebody looks at the map.
        chunkFileNames: ({ name, moduleIds }) =>
          moduleIds.some((id) => id.includes('/node_modules/pixi.js/')) && !name.startsWith('heavy') ? 'assets/heavy-[name]-[hash].js' : 'assets/[name]-[hash].js',
      },
    },
  },
  worker: {
    format: 'es',
    // Of two workers one has parts: the map's, which are heavy (above).
    rollupOptions: { output: { entryFileNames: 'assets/[name]-[hash].js', chunkFileNames: 'assets/heavy-[name]-[hash].js' } },
  },
  server: {
    proxy: Object.fromEntries(api.map((path) => [`^/${path}`, { target: server, ws: true, changeOrigin: true }])),
  },
  test: { include: ['tests/**/*.test.ts'] },
});
