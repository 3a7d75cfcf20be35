-- SPDX-License-Identifier: AGPL-3.0-or-later
-- As migrations/sqlite/0006_chat_alive.sql.
ALTER TABLE chat_turns ADD COLUMN alive_us BIGINT NOT NULL DEFAULT 0;
