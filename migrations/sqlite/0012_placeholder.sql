-- SPDX-License-Identifier: AGPL-3.0-or-later
-- Holds the place of somebody else's change.
UPDATE counters SET value = value WHERE name = 'posts';
