/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/chat.h: people ask a model. /chat is a WebSocket whose history lasts as
 * long as the connection; the protocol is written down in docs/chat.md.
 */
#pragma once

#include "api/call.h"

handler chat_ws; /* LANE_LOOP */

/* Somebody logged out or was banned: their sockets close. On the loop. */
void chat_notice(struct api_loop *home, const struct hub_notice *notice);
/* Tell everybody to come back (1012); answers under way are cut off. On the loop. */
void chat_drain(struct api_loop *home);
/* Whoever is still there is cut off. On the loop. */
void chat_abort(struct api_loop *home);
