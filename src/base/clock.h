/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/clock.h: wall time and monotonic time, in microseconds.
 *
 * Wall time (`_us` since 1970-01-01 UTC) is for people and for the store;
 * monotonic time is for waiting. They never meet in one expression.
 */
#pragma once

#include "base/str.h"

int64_t clock_wall_us(void);
int64_t clock_mono_us(void);

enum { CLOCK_ISO_BYTES = 28, CLOCK_HTTP_BYTES = 30 };

/* "2026-11-21T03:23:22": UTC, second precision, no zone: what the old clients parse. 19 bytes. */
void clock_iso_short(int64_t wall_us, char to[CLOCK_ISO_BYTES]);
/* "2026-11-21T03:23:22.123456Z" (RFC 3339). */
void clock_iso(int64_t wall_us, char to[CLOCK_ISO_BYTES]);
/* "2026-11-21T11:23:22.123456": the same in the time of this machine, which it does not name. */
void clock_iso_local(int64_t wall_us, char to[CLOCK_ISO_BYTES]);
/* "Sat, 21 Nov 2026 03:23:22 GMT" (RFC 9110, 5.6.7). */
void clock_http(int64_t wall_us, char to[CLOCK_HTTP_BYTES]);
/* The IMF-fixdate form of clock_http back into seconds; false for anything else. */
MUST_USE bool clock_http_parse(struct str text, int64_t *wall_s_out);
