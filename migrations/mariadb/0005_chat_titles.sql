-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0005_chat_titles.sql.
ALTER TABLE chats ADD COLUMN automatic TINYINT NOT NULL DEFAULT 0;
