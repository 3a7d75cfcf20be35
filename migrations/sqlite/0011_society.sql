-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What the plots of a town show: how its residents felt at the end of each game hour, and an index
-- that counts their deeds without reading what the action log says of them.
CREATE TABLE town_needs (
    town_id INTEGER NOT NULL REFERENCES towns (id) ON DELETE CASCADE,
    hour    INTEGER NOT NULL, -- game minutes / 60
    need    TEXT NOT NULL,    -- need_name() of town/resident.h
    mean    INTEGER NOT NULL, -- these four in hundredths of a per cent, over those who live there
    low     INTEGER NOT NULL, -- quartiles
    middle  INTEGER NOT NULL,
    high    INTEGER NOT NULL,
    PRIMARY KEY (town_id, hour, need)
) WITHOUT ROWID;

DROP INDEX action_logs_day;
CREATE INDEX action_logs_day ON action_logs (game_day, action_type, game_time, character_id, created_us);
