-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Simulated towns: who lives there, from where they go on, what was told to them, and what is still
-- to be done outside.
CREATE TABLE towns (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    seed         INTEGER NOT NULL,
    running      INTEGER NOT NULL,
    speed        INTEGER NOT NULL,           -- game minutes in a real one
    minute       INTEGER NOT NULL,           -- game time that is committed
    effects      INTEGER NOT NULL,           -- how many effects are performed or in town_todo
    inputs       INTEGER NOT NULL,           -- the last of town_inputs
    message_id   INTEGER NOT NULL,           -- what members did is told up to these
    post_id      INTEGER NOT NULL,
    comment_id   INTEGER NOT NULL,
    holder       TEXT NOT NULL,              -- the instance that runs it; '': none
    fence        INTEGER NOT NULL,           -- grows with every holder
    lease_us     INTEGER NOT NULL,           -- and until when
    created_us   INTEGER NOT NULL
);

CREATE TABLE town_people (
    town_id  INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    number   INTEGER NOT NULL,               -- the resident's in the simulation
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (town_id, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX town_people_user ON town_people (user_id);

CREATE TABLE town_checkpoints (
    town_id    INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    minute     INTEGER NOT NULL,
    inputs     INTEGER NOT NULL,             -- up to and including this one
    state      BLOB NOT NULL,                -- town/checkpoint.c
    created_us INTEGER NOT NULL,
    PRIMARY KEY (town_id, minute)
);

CREATE TABLE town_inputs (
    town_id INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    minute  INTEGER NOT NULL,                -- told after everything of this minute
    input   BLOB NOT NULL,                   -- struct input of town/town.h
    PRIMARY KEY (town_id, seq)
) WITHOUT ROWID;

CREATE TABLE town_posts (
    town_id INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    serial  INTEGER NOT NULL,                -- the town's number of it
    post_id INTEGER NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    PRIMARY KEY (town_id, serial)
) WITHOUT ROWID;
CREATE INDEX town_posts_post ON town_posts (post_id);

CREATE TABLE town_todo (
    town_id INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,                -- of the effect
    effect  BLOB NOT NULL,                   -- struct effect of town/town.h
    PRIMARY KEY (town_id, number)
) WITHOUT ROWID;
