/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/holder.h: the names of those who hold a town: "HOST:PID:RANDOM".
 *
 * A holder on this machine can be looked for; of one elsewhere only its lease
 * says whether it lives. Any thread.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"

enum { HOLDER_BYTES = 64 };

/* A name for this process; another each time. */
void holder_name(char name_out[HOLDER_BYTES]);

enum holder_state {
    HOLDER_LIVES, /* a process of this machine */
    HOLDER_DEAD,  /* it was one, and is no more */
    HOLDER_AWAY,  /* of another machine, or of no known form */
};
enum holder_state holder_look(struct str holder);
/* "process 17 on box", as people call it. */
struct str holder_words(struct arena *arena, struct str holder);
