/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/live.h: events to those who listen: WebSockets at /live and, for old
 * clients, /messages/ws; server-sent events at /live/events. The protocol is
 * written down in docs/live.md.
 */
#pragma once

#include "api/call.h"

handler live_ws, live_legacy_ws, live_events; /* LANE_LOOP */
handler live_ticket;                          /* LANE_READ */

/* Somebody logged out, was banned or left a group: close or unsubscribe. On the loop. */
void live_notice(struct api_loop *home, const struct hub_notice *notice);
/* Tell everybody to come back (1012). On the loop. */
void live_drain(struct api_loop *home);
/* Whoever is still there is cut off. On the loop. */
void live_abort(struct api_loop *home);
