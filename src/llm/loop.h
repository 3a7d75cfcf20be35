/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* llm/loop.h: a loop's part of the models' client, for the files of this room. */
#pragma once

#include "http/client.h"
#include "llm/site.h"

struct llm_loop {
    struct llm *llm;
    struct loop *loop;
    struct http_client *client;
    struct list calls;   /* of struct llm_call */
    struct list listing; /* of struct listing (models.c) */
};

/* Drop what asks for models, untold. */
void llm_models_close(struct llm_loop *home);
