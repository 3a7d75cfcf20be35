-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Comments that answer comments; and what members are told of.

-- Of the same post. When the comment goes its answers stay, and answer the post.
ALTER TABLE comments ADD COLUMN parent_id INTEGER REFERENCES comments (id) ON DELETE SET NULL;
CREATE INDEX comments_parent ON comments (parent_id) WHERE parent_id IS NOT NULL;

-- The row of a like, a follow or a mention stays when that is taken back, so that whoever does it
-- again is told of once.
CREATE TABLE notifications (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- who is told
    occasion   TEXT NOT NULL,                -- store/notifications.c: like:POST:ACTOR and so on
    kind       TEXT NOT NULL CHECK (kind IN ('follow', 'like', 'comment', 'reply', 'mention')),
    actor_id   INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- who did it
    post_id    INTEGER REFERENCES posts (id) ON DELETE CASCADE,
    comment_id INTEGER REFERENCES comments (id) ON DELETE CASCADE,
    is_read    INTEGER NOT NULL DEFAULT 0,
    undone     INTEGER NOT NULL DEFAULT 0,   -- taken back: shown to nobody
    created_us INTEGER NOT NULL
);
CREATE UNIQUE INDEX notifications_occasion ON notifications (user_id, occasion);
CREATE INDEX notifications_user ON notifications (user_id, id);
CREATE INDEX notifications_unread ON notifications (user_id, is_read, undone);
CREATE INDEX notifications_actor ON notifications (actor_id);
CREATE INDEX notifications_post ON notifications (post_id, user_id) WHERE post_id IS NOT NULL;
CREATE INDEX notifications_comment ON notifications (comment_id) WHERE comment_id IS NOT NULL;
