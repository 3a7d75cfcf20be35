-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Members' keys for programs, and what was used with them. Days are whole days since 1970-01-01 UTC.
CREATE TABLE api_keys (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id    BIGINT NOT NULL,
    name       VARCHAR(400) NOT NULL,
    key_hash   VARBINARY(64) NOT NULL, -- BLAKE2b-256 of the whole key
    last_four  VARCHAR(4) NOT NULL,
    requests_per_minute BIGINT,        -- NULL: no limit
    tokens_per_day      BIGINT,        -- NULL: no limit
    models     TEXT,                   -- patterns, one a line; NULL: all
    created_us BIGINT NOT NULL,
    used_us    BIGINT,
    revoked_us BIGINT,
    UNIQUE KEY api_keys_hash (key_hash),
    KEY api_keys_user (user_id, id),
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE llm_usage (
    key_id           BIGINT NOT NULL,
    day              BIGINT NOT NULL,
    site             VARCHAR(64) NOT NULL,
    model            VARCHAR(200) NOT NULL,
    user_id          BIGINT NOT NULL,
    requests         BIGINT NOT NULL,
    shared           BIGINT NOT NULL, -- … of them answered without asking the provider again
    unknown          BIGINT NOT NULL, -- … whose usage the provider did not say
    unpriced         BIGINT NOT NULL, -- … for whose model no price is set
    input_tokens     BIGINT NOT NULL,
    output_tokens    BIGINT NOT NULL,
    cached_tokens    BIGINT NOT NULL, -- of the input
    estimated_tokens BIGINT NOT NULL, -- of input and output: our guess
    cost_micro       BIGINT NOT NULL,
    PRIMARY KEY (key_id, day, site, model),
    KEY llm_usage_user (user_id, day, key_id, site, model),
    KEY llm_usage_day (day, key_id, site, model),
    FOREIGN KEY (key_id) REFERENCES api_keys (id) ON DELETE CASCADE,
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
