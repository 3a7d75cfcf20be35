-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What the community is called and says of itself; and a member's reports in their order, for who
-- takes them along.
CREATE TABLE community (
    id        INTEGER PRIMARY KEY CHECK (id = 1), -- there is one
    name      TEXT NOT NULL,                      -- '': none was chosen
    about     TEXT NOT NULL,                      -- a sentence, or ''
    language  TEXT CHECK (language IN ('zh', 'en')), -- NULL: as each reader's browser has it
    set_up_us INTEGER                             -- when the first-run page was done with; NULL: not yet
);
-- One that people live in already does not begin anew.
INSERT INTO community (id, name, about, set_up_us) SELECT 1, '', '', MIN(created_us) FROM users;

CREATE INDEX reports_reporter ON reports (reporter_id, id);
