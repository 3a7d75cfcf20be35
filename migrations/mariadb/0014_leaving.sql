-- SPDX-License-Identifier: AGPL-3.0-or-later
-- The indexes of migrations/sqlite/0014_leaving.sql in MariaDB's words.
ALTER TABLE users ADD KEY users_avatar (avatar_path);
ALTER TABLE posts ADD KEY posts_image (image_path);
ALTER TABLE messages ADD KEY messages_said (sender_id, id);
