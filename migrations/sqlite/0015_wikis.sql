-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Repositories that can be asked. What was read out of them is in an index beside the database,
-- which can be made again; here is what cannot.
CREATE TABLE wikis (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,                -- how people call it, one word
    name_key    TEXT NOT NULL UNIQUE,         -- … compared without case
    identity    TEXT NOT NULL UNIQUE,         -- digest of address, branch, filters and whose it is
    kind        TEXT NOT NULL,                -- github, gitlab …, local
    url         TEXT NOT NULL,                -- without any secret; of a folder its path
    owner       TEXT NOT NULL,
    repo        TEXT NOT NULL,
    branch      TEXT NOT NULL,                -- as asked for; empty: the repository's own
    include     TEXT NOT NULL,                -- filters, lines in the syntax of gitignore(5)
    exclude     TEXT NOT NULL,
    access      TEXT NOT NULL CHECK (access IN ('everyone', 'members', 'group', 'owner')),
    group_id    INTEGER REFERENCES chat_groups (id) ON DELETE SET NULL,
    owner_id    INTEGER REFERENCES users (id) ON DELETE SET NULL, -- who added it
    created_us  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'working', 'ready', 'failed')),
    fault       TEXT NOT NULL,                -- failed: which error …
    note        TEXT NOT NULL,                -- … and the sentence
    commit_id   TEXT NOT NULL,                -- what the index holds; empty: nothing, or a folder
    branch_name TEXT NOT NULL,                -- its branch, as the repository calls it
    committed_s INTEGER NOT NULL,
    indexed_us  INTEGER NOT NULL,             -- 0: never
    files       INTEGER NOT NULL,
    chunks      INTEGER NOT NULL,
    line_count  INTEGER NOT NULL
);
CREATE INDEX wikis_repo ON wikis (kind, owner, repo);
CREATE INDEX wikis_group ON wikis (group_id);
CREATE INDEX wikis_owner ON wikis (owner_id);

-- A wiki that was written about a repository: by this server, or handed in by an older client (then
-- it belongs to no row of wikis). Each writing is a version of its own.
CREATE TABLE wiki_books (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    wiki_id       INTEGER REFERENCES wikis (id) ON DELETE CASCADE,
    kind          TEXT NOT NULL,
    owner         TEXT NOT NULL,
    repo          TEXT NOT NULL,
    url           TEXT NOT NULL,
    language      TEXT NOT NULL,              -- en, zh, kr …: codes of the older clients
    comprehensive INTEGER NOT NULL,
    title         TEXT NOT NULL,
    description   TEXT NOT NULL,
    sections      TEXT NOT NULL,              -- JSON: [{id, title, pages, subsections?}]
    roots         TEXT NOT NULL,              -- JSON: ids of sections that are in no other
    provider      TEXT NOT NULL,
    model         TEXT NOT NULL,              -- empty: made without a model
    commit_id     TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('planning', 'writing', 'stopped', 'failed', 'done')),
    note          TEXT NOT NULL,              -- why it failed
    -- Of a book without wiki_id: for everyone, for members and who has shown the access code, or for
    -- its author. Others are for whom their wiki is for.
    access        TEXT NOT NULL CHECK (access IN ('everyone', 'members', 'owner')),
    author_id     INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_us    INTEGER NOT NULL,
    finished_us   INTEGER NOT NULL            -- 0: not yet
);
CREATE INDEX wiki_books_wiki ON wiki_books (wiki_id, id);
CREATE INDEX wiki_books_repo ON wiki_books (kind, owner, repo, language, id);
CREATE INDEX wiki_books_author ON wiki_books (author_id);
CREATE INDEX wiki_books_state ON wiki_books (state, id);

CREATE TABLE wiki_pages (
    book_id    INTEGER NOT NULL REFERENCES wiki_books (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,              -- from 0
    slug       TEXT NOT NULL,                 -- its id in the book: "page-1"
    title      TEXT NOT NULL,
    importance TEXT NOT NULL,                 -- high, medium, low
    files      TEXT NOT NULL,                 -- JSON: paths
    related    TEXT NOT NULL,                 -- JSON: slugs
    brief      TEXT NOT NULL,                 -- what it is to say, for who writes it
    content    TEXT NOT NULL,                 -- Markdown
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'writing', 'failed', 'done')),
    note       TEXT NOT NULL,
    sources    TEXT NOT NULL,                 -- JSON: [{path, digest}] that it was written from
    PRIMARY KEY (book_id, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX wiki_pages_slug ON wiki_pages (book_id, slug);
