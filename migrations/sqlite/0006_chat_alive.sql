-- SPDX-License-Identifier: AGPL-3.0-or-later
-- When an answer under way was last heard of. Whoever writes one says so every few seconds: with
-- several instances on one database the others see by it that one has died.
ALTER TABLE chat_turns ADD COLUMN alive_us INTEGER NOT NULL DEFAULT 0;
