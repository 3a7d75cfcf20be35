/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/probe.h: does a model server listen on this machine? */
#pragma once

#include <stdbool.h>

/* Where model servers listen when nobody has told them otherwise. */
enum llm_local { LLM_LOCAL_LMSTUDIO, LLM_LOCAL_OLLAMA, LLM_LOCALS };
struct llm_local_place {
    const char *site, *base; /* the site's name, and its address here */
    int port;
};
extern const struct llm_local_place llm_locals[LLM_LOCALS];

/* A connection to 127.0.0.1 at that port, tried for at most 300 ms. Blocks: at start-up, and on
 * workers. */
bool llm_probe_port(int port);
