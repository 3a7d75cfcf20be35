// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Wikis as the page of deepwiki-open 1.x hands them in.

export const page = (id, content, more = {}) => ({
  id, title: `Title of ${id}`, content, filePaths: ['src/main.c'], importance: 'high', relatedPages: ['page-2'], ...more,
});

// `repo` as that page knows it; `written`: what stands on each page, by its id.
export function wiki({
  owner = 'o', repo = 'r', type = 'github', language = 'en', token, repoUrl = `https://github.com/${owner}/${repo}`,
  written = { 'page-1': '# One\n\n<script>alert(1)</script>', 'page-2': '# SECRET-words 二' }, ...more
} = {}) {
  const ids = Object.keys(written);
  return {
    repo: { owner, repo, type, token: token ?? null, localPath: null, repoUrl },
    language,
    wiki_structure: {
      id: 'wiki', title: `Wiki of ${repo}`, description: 'What it is', pages: ids.map((id) => page(id, '')),
      sections: [{ id: 'section-1', title: 'All', pages: ids, subsections: ['section-2'] }],
      rootSections: ['section-1'],
    },
    generated_pages: Object.fromEntries(ids.map((id) => [id, page(id, written[id])])),
    provider: 'google',
    model: 'gemini-2.5-flash',
    ...more,
  };
}
