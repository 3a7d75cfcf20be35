-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What is asked when somebody goes: who else shows this picture, and what did they write in groups.
CREATE INDEX users_avatar ON users (avatar_path) WHERE avatar_path IS NOT NULL;
CREATE INDEX posts_image ON posts (image_path) WHERE image_path IS NOT NULL;
CREATE INDEX messages_said ON messages (sender_id, id) WHERE group_id IS NOT NULL;
