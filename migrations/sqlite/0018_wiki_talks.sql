-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Conversations about a wiki. The number stays when the wiki goes, and so does the name by which it
-- was known: what was said can still be read, and is never asked on as if it had been about nothing.
ALTER TABLE chats ADD COLUMN wiki_id INTEGER;                    -- NULL: about none
ALTER TABLE chats ADD COLUMN wiki_name TEXT NOT NULL DEFAULT ''; -- at the last question
CREATE INDEX chats_wiki ON chats (owner_id, wiki_id, id);
-- JSON: how a question wants to be answered; what an answer was made of. NULL: about no wiki.
ALTER TABLE chat_turns ADD COLUMN about TEXT;
