-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Members' keys for programs, and what was used with them. Days are whole days since 1970-01-01 UTC.
CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    key_hash   BLOB NOT NULL UNIQUE,   -- BLAKE2b-256 of the whole key
    last_four  TEXT NOT NULL,
    requests_per_minute INTEGER,       -- NULL: no limit
    tokens_per_day      INTEGER,       -- NULL: no limit
    models     TEXT,                   -- patterns, one a line; NULL: all
    created_us INTEGER NOT NULL,
    used_us    INTEGER,
    revoked_us INTEGER
);
CREATE INDEX api_keys_user ON api_keys (user_id, id);

CREATE TABLE llm_usage (
    key_id           INTEGER NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    day              INTEGER NOT NULL,
    site             TEXT NOT NULL,
    model            TEXT NOT NULL,
    user_id          INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    requests         INTEGER NOT NULL,
    shared           INTEGER NOT NULL, -- … of them answered without asking the provider again
    unknown          INTEGER NOT NULL, -- … whose usage the provider did not say
    unpriced         INTEGER NOT NULL, -- … for whose model no price is set
    input_tokens     INTEGER NOT NULL,
    output_tokens    INTEGER NOT NULL,
    cached_tokens    INTEGER NOT NULL, -- of the input
    estimated_tokens INTEGER NOT NULL, -- of input and output: our guess
    cost_micro       INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, site, model)
) WITHOUT ROWID;
CREATE INDEX llm_usage_user ON llm_usage (user_id, day, key_id, site, model);
CREATE INDEX llm_usage_day ON llm_usage (day, key_id, site, model);
