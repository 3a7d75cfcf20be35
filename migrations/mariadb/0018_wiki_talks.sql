-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The columns of migrations/sqlite/0018_wiki_talks.sql in MariaDB's words.
ALTER TABLE chats
    ADD COLUMN wiki_id BIGINT,
    ADD COLUMN wiki_name VARCHAR(100) NOT NULL DEFAULT '',
    ADD KEY chats_wiki (owner_id, wiki_id, id);
ALTER TABLE chat_turns ADD COLUMN about MEDIUMTEXT;
