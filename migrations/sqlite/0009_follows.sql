-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Who follows whom; and what members did that residents of a town have yet to hear of.
CREATE TABLE follows (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- their order: lists show the newest first
    follower_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followed_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_us  INTEGER NOT NULL,
    CHECK (follower_id <> followed_id)
);
CREATE UNIQUE INDEX follows_pair ON follows (follower_id, followed_id);
CREATE INDEX follows_follower ON follows (follower_id, id);
CREATE INDEX follows_followed ON follows (followed_id, id);

-- A row stays when it is told, and when the like or follow is taken back: of one person and post,
-- and of one person and resident, a town hears once.
CREATE TABLE town_notices (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    actor_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followed_id INTEGER REFERENCES users (id) ON DELETE CASCADE, -- the resident it follows …
    post_id     INTEGER REFERENCES posts (id) ON DELETE CASCADE, -- … or the post it likes
    told        INTEGER NOT NULL DEFAULT 0,
    CHECK ((followed_id IS NULL) <> (post_id IS NULL))
);
CREATE UNIQUE INDEX town_notices_follow ON town_notices (followed_id, actor_id);
CREATE UNIQUE INDEX town_notices_like ON town_notices (post_id, actor_id);
CREATE INDEX town_notices_actor ON town_notices (actor_id);
CREATE INDEX town_notices_told ON town_notices (told, id);
