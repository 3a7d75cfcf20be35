-- SPDX-License-Identifier: AGPL-3.0-or-later
-- 1: the title is the first words of the question, put there by us; a better one may replace it.
-- What a member writes is theirs, also when it is the very same words.
ALTER TABLE chats ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;
