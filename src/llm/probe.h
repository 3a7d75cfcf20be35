/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/probe.h: does a server listen on this machine? */
#pragma once

#include <stdbool.h>

/* A connection to 127.0.0.1 at that port, tried for at most 300 ms. Blocks; at start-up only. */
bool llm_probe_port(int port);
