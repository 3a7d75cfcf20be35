/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "api/audience.h"

void audience_init(struct audience *audience)
{
    pthread_mutex_init(&audience->lock, NULL);
    list_init(&audience->listeners);
}

void audience_release(struct audience *audience)
{
    ASSERT(list_is_empty(&audience->listeners));
    pthread_mutex_destroy(&audience->lock);
}

static void on_wake(struct task *task)
{
    struct listener *listener = CONTAINER_OF(task, struct listener, wake);
    pthread_mutex_lock(&listener->audience->lock);
    listener->posted = false;
    pthread_mutex_unlock(&listener->audience->lock);
    if (listener->left) {
        listener->free(listener);
    } else {
        listener->news(listener);
    }
}

void audience_add(struct audience *audience, struct listener *listener)
{
    ASSERT(listener->loop && listener->news && listener->free);
    listener->audience = audience;
    listener->wake.run = on_wake;
    list_init(&listener->link);
    list_add_last(&audience->listeners, &listener->link);
}

void audience_wake(struct audience *audience)
{
    struct list *head = &audience->listeners;
    for (struct list *at = head->next; at != head; at = at->next) {
        struct listener *listener = CONTAINER_OF(at, struct listener, link);
        if (listener->posted) continue;
        listener->posted = true;
        loop_post(listener->loop, &listener->wake);
    }
}

void audience_drop(struct listener *listener)
{
    list_remove(&listener->link);
}

void listener_end(struct listener *listener)
{
    ASSERT(list_is_empty(&listener->link) && !listener->left);
    listener->left = true;
    /* Nobody wakes it any more, so this can only turn false, and only here on its loop. */
    if (!listener->posted) listener->free(listener);
}
