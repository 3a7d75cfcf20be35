-- SPDX-License-Identifier: AGPL-3.0-or-later
-- What models have cost the residents, by days since 1970-01-01 UTC. No town's: one that is founded
-- anew has no new budget.
CREATE TABLE town_spending (
    day INTEGER PRIMARY KEY,
    tokens INTEGER NOT NULL,    -- of decisions and conversations
    cost_micro INTEGER NOT NULL -- of everything asked, millionths of the unit of llm-prices
);
