-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Conversations of members with a model. Turns form a tree: an edited question or another answer
-- is a branch, told from the others by its parent.
CREATE TABLE chats (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      TEXT NOT NULL,
    model      TEXT NOT NULL,             -- SITE/MODEL; '': the default
    system     TEXT NOT NULL,             -- what the model is told first; '': nothing
    head_id    INTEGER NOT NULL DEFAULT 0, -- the newest turn: what goes on goes on from there
    created_us INTEGER NOT NULL
);
CREATE INDEX chats_owner ON chats (owner_id, id);

CREATE TABLE chat_turns (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id       INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent_id     INTEGER NOT NULL,       -- 0: begins the conversation
    role          TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    status        TEXT NOT NULL CHECK (status IN ('streaming', 'complete', 'cut_off', 'refused',
                  'interrupted', 'failed')),
    content       TEXT NOT NULL,
    reasoning     TEXT NOT NULL,
    site          TEXT NOT NULL,
    model         TEXT NOT NULL,
    detail        TEXT NOT NULL,          -- why it is not complete
    input_tokens  INTEGER,                -- NULL: nobody said
    output_tokens INTEGER,
    estimated     INTEGER NOT NULL,
    created_us    INTEGER NOT NULL
);
CREATE INDEX chat_turns_chat ON chat_turns (chat_id, id);
CREATE INDEX chat_turns_streaming ON chat_turns (status) WHERE status = 'streaming';
