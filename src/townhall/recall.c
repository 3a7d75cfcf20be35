/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * townhall/recall.c: what a model is told of somebody beside the town's own numbers: what it has
 * done lately, posts it could read, and what it knows of whom it writes to.
 *
 * All of it is short, whatever there is, and what others wrote or call themselves
 * stands between marks, with broken marks inside: data, never an instruction.
 */
#include "store/posts.h"
#include "townhall/internal.h"

enum {
    ACTS = 5,
    ACTS_LOOKED = 20, /* entries of the log in which they are looked for */
    ACT_CHARS = 80,
    POSTS = 5,
    POST_CHARS = 120,
    NAME_CHARS = 40,
    RECALLED = 6,
    TEXT_BYTES = 8 * 1024,
};

static struct str line_of(struct arena *arena, struct str text, size_t chars)
{
    return one_line(arena, without_marks(arena, text), chars);
}

/* --- what it did --- */

struct acts {
    struct arena *arena;
    struct str line[ACTS]; /* the newest first */
    size_t count;
};

/* Entries beside deeds, and questions to models, tell nothing new. */
static void see_act(void *ctx, const struct action_log *log)
{
    struct acts *acts = ctx;
    bool deed = log->duration > 0 && !str_eq(log->name, STR(TALK_LOGGED));
    if (!deed || acts->count == ACTS) return;
    struct str what = line_of(acts->arena, log->description, ACT_CHARS);
    acts->line[acts->count++] = arena_printf(acts->arena, "- %.*s: %.*s (%d minutes)\n",
                                             STR_ARGS(log->time), STR_ARGS(what), log->duration);
}

struct str recall_acts(struct arena *arena, const struct hall *hall, uint32_t who)
{
    struct acts acts = {.arena = arena};
    struct action_logs_query query = {.character = cast_user(&hall->cast, who),
                                      .limit = ACTS_LOOKED};
    struct why why;
    struct str text = STR("");
    if (action_logs_list(hall->db, &query, see_act, &acts, &why) != OK) return text;
    for (size_t i = 0; i < acts.count; i++)
        text = arena_printf(arena, "%.*s%.*s", STR_ARGS(acts.line[i]), STR_ARGS(text));
    return text;
}

/* --- what it could read --- */

static bool load_post(struct arena *arena, const struct hall *hall, uint32_t serial,
                      struct post *post_out)
{
    struct post_id id = {0};
    struct why why;
    return town_posts_find(hall->db, hall->row.id, serial, &id, &why) == OK && id.value &&
           posts_load(hall->db, arena, id, (struct user_id){0}, post_out, &why) == OK;
}

struct str recall_feed(struct arena *arena, struct hall *hall, uint32_t who)
{
    uint32_t head = town_feed_head(hall->town), seen = town_resident(hall->town, who)->feed_seen;
    struct str text = STR("");
    size_t shown = 0;
    for (uint32_t serial = head; serial > seen && head - serial < 4 * POSTS && shown < POSTS;
         serial--) {
        const struct wire_post *wire = town_post(hall->town, serial);
        struct post post;
        if (!wire || wire->author == who || !load_post(arena, hall, serial, &post)) continue;
        /* What a model says of a member is looked for by the names it was told. */
        cast_meet(&hall->cast, hall->db, wire->author);
        struct str name = line_of(arena, player_name(&hall->cast, wire->author), NAME_CHARS);
        struct str said = line_of(arena, post.content, POST_CHARS);
        text = arena_printf(arena, "%.*s<said>%.*s: %.*s</said>\n", STR_ARGS(text), STR_ARGS(name),
                            STR_ARGS(said));
        shown++;
    }
    return text;
}

/* --- whom it writes to --- */

static void write_relation(struct buf *to, const struct relation *relation)
{
    buf_printf(to, "You know them %s and %s.%s\n",
               relation->familiarity > 50   ? "well"
               : relation->familiarity > 15 ? "a little"
                                            : "hardly",
               relation->liking > 40    ? "like them very much"
               : relation->liking > 10  ? "like them"
               : relation->liking > -10 ? "think neither well nor ill of them"
                                        : "do not like them",
               relation->flags & FOLLOWED ? " They follow you." : "");
}

static void write_memories(struct arena *arena, struct buf *to, const struct hall *hall,
                           uint32_t who, uint32_t partner, int32_t since)
{
    size_t count, about = 0;
    const struct memory *memories = town_memories(hall->town, who, &count), *found[RECALLED];
    struct memory *theirs = ARENA_ARRAY(arena, struct memory, count + 1);
    for (size_t i = 0; i < count; i++) /* That it has just written is what is being written. */
        if (memories[i].who == partner &&
            (memories[i].fact != FACT_WROTE_TO || memories[i].at < since))
            theirs[about++] = memories[i];
    struct cue cue = {.who = partner, .place = NOWHERE, .subject = SUBJECT_NONE};
    count = memory_rank(theirs, about, &cue, town_now(hall->town), found, RECALLED);
    if (count) buf_add_str(to, STR("You remember:\n"));
    for (size_t i = 0; i < count; i++) {
        struct buf line;
        buf_init(&line, TEXT_BYTES);
        phrase_memory(&line, &hall->cast, who, found[i]);
        buf_add_str(to, STR("- "));
        game_time_write(to, found[i]->at);
        buf_printf(to, ": %.*s\n", STR_ARGS(line_of(arena, buf_str(&line), POST_CHARS)));
        buf_release(&line);
    }
}

struct str recall_partner(struct arena *arena, const struct hall *hall, uint32_t who,
                          uint32_t partner, struct str name, int32_t since)
{
    struct buf to;
    buf_init(&to, TEXT_BYTES);
    buf_printf(&to, "<about>\nYou write with %.*s, %s.\n",
               STR_ARGS(line_of(arena, name, NAME_CHARS)),
               is_member(partner) ? "a member of the community" : "a neighbour in the town");
    size_t count;
    const struct relation *relations = town_relations(hall->town, who, &count);
    for (size_t i = 0; i < count; i++)
        if (relations[i].who == partner) write_relation(&to, &relations[i]);
    write_memories(arena, &to, hall, who, partner, since);
    buf_add_str(&to, STR("</about>"));
    struct str text = arena_copy(arena, buf_str(&to));
    buf_release(&to);
    return text;
}
