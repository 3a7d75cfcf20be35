-- SPDX-License-Identifier: AGPL-3.0-or-later
-- On MariaDB a group could be left to somebody who left it at the same moment, and nobody could
-- rename it any more. It goes to whom it would have gone: of the people in it the one with the
-- lowest id, else of the residents. A group that nobody is in goes.
DELETE FROM chat_groups WHERE id NOT IN (SELECT group_id FROM chat_group_members);
UPDATE chat_groups SET owner_id = COALESCE(
    (SELECT MIN(m.user_id) FROM chat_group_members m JOIN users u ON u.id = m.user_id
     WHERE m.group_id = chat_groups.id AND u.is_ai = 0),
    (SELECT MIN(m.user_id) FROM chat_group_members m WHERE m.group_id = chat_groups.id))
WHERE owner_id IS NULL OR NOT EXISTS (SELECT 1 FROM chat_group_members m
    WHERE m.group_id = chat_groups.id AND m.user_id = chat_groups.owner_id);
