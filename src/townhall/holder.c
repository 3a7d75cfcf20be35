/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/holder.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/rng.h"

enum { HOST_BYTES = 31 };

static void this_host(char host_out[HOST_BYTES])
{
    char host[256] = "";
    (void)gethostname(host, sizeof(host) - 1);
    str_copy(host_out, HOST_BYTES, str_head(str_of(host), HOST_BYTES - 1));
}

void holder_name(char name_out[HOLDER_BYTES])
{
    char host[HOST_BYTES];
    this_host(host);
    snprintf(name_out, HOLDER_BYTES, "%s:%d:%08x", host, (int)getpid(),
             (unsigned)(random_u64() & 0xffffffff));
}

enum holder_state holder_look(struct str holder)
{
    char here[HOST_BYTES];
    struct str host, pid;
    uint64_t number;
    this_host(here);
    if (!str_split(&holder, ':', &host) || !str_split(&holder, ':', &pid) ||
        !str_eq(host, str_of(here)) || !str_to_u64(pid, &number) || number == 0 ||
        number > INT32_MAX) {
        return HOLDER_AWAY;
    }
    return kill((pid_t)number, 0) != 0 && errno == ESRCH ? HOLDER_DEAD : HOLDER_LIVES;
}

struct str holder_words(struct arena *arena, struct str holder)
{
    struct str host = {0}, pid = {0};
    if (!str_split(&holder, ':', &host) || !str_split(&holder, ':', &pid)) return host;
    return arena_printf(arena, "process %.*s on %.*s", STR_ARGS(pid), STR_ARGS(host));
}
