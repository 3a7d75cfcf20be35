/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "http/admission.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/mem.h"
#include "http/header.h"

struct address {
    int64_t open;
    size_t len;
    char text[];
};

struct admission {
    int64_t total_max, per_address;
    atomic_llong open;
    pthread_mutex_t lock; /* guards `addresses` */
    struct map addresses; /* of struct address, owned */
};

struct admission *admission_new(int64_t total_max, int64_t per_address)
{
    struct admission *admission = NEW(struct admission);
    admission->total_max = total_max;
    admission->per_address = per_address;
    pthread_mutex_init(&admission->lock, NULL);
    return admission;
}

void admission_free(struct admission *admission)
{
    if (admission == NULL) return;
    size_t at = 0;
    for (struct address *a; (a = map_next(&admission->addresses, &at)) != NULL;) mem_free(a);
    map_release(&admission->addresses);
    pthread_mutex_destroy(&admission->lock);
    mem_free(admission);
}

static bool enter_address(struct admission *admission, struct str text)
{
    struct address *address = map_find(&admission->addresses, text);
    if (address == NULL) {
        address = mem_alloc(sizeof(*address) + text.len);
        address->len = text.len;
        memcpy(address->text, text.at, text.len);
        map_add(&admission->addresses, (struct str){address->text, text.len}, address);
    }
    if (address->open >= admission->per_address) return false;
    address->open++;
    return true;
}

enum admitted admission_enter(struct admission *admission, struct str address)
{
    char network[HEADER_NETWORK_BYTES];
    if (atomic_fetch_add(&admission->open, 1) >= admission->total_max) {
        atomic_fetch_sub(&admission->open, 1);
        return ADMIT_FULL;
    }
    if (admission->per_address == 0) return ADMITTED;
    pthread_mutex_lock(&admission->lock);
    bool room = enter_address(admission, header_network(address, network));
    pthread_mutex_unlock(&admission->lock);
    if (room) return ADMITTED;
    atomic_fetch_sub(&admission->open, 1);
    return ADMIT_ADDRESS_FULL;
}

void admission_leave(struct admission *admission, struct str address)
{
    char network[HEADER_NETWORK_BYTES];
    atomic_fetch_sub(&admission->open, 1);
    if (admission->per_address == 0) return;
    pthread_mutex_lock(&admission->lock);
    struct str text = header_network(address, network);
    struct address *entry = map_find(&admission->addresses, text);
    ASSERT(entry != NULL && entry->open > 0);
    if (--entry->open == 0) {
        map_remove(&admission->addresses, text);
        mem_free(entry);
    }
    pthread_mutex_unlock(&admission->lock);
}
