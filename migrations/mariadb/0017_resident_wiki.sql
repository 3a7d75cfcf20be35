-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The column of migrations/sqlite/0017_resident_wiki.sql in MariaDB's words.
ALTER TABLE users ADD COLUMN wiki_id BIGINT,
    ADD KEY users_wiki (wiki_id),
    ADD FOREIGN KEY (wiki_id) REFERENCES wikis (id) ON DELETE SET NULL;
