/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * store/wikis.h: repositories that can be asked.
 *
 * A row says what the repository is, who may see it, and how its index stands;
 * the index itself lies beside the database (wiki/library.h) and can be made
 * again. `identity` tells two of them apart: the same repository, branch
 * and filters, for the same people, are the same wiki. Conventions as in store/users.h.
 */
#pragma once

#include "store/users.h"

enum { WIKI_NAME_BYTES = 100 };

enum wiki_state { WIKI_NEW, WIKI_WORKING, WIKI_READY, WIKI_FAILED, WIKI_STATES };
enum wiki_access { WIKI_EVERYONE, WIKI_MEMBERS, WIKI_GROUP, WIKI_OWNER, WIKI_ACCESSES };

const char *wiki_state_name(enum wiki_state state);    /* "new", "working" … */
const char *wiki_access_name(enum wiki_access access); /* "everyone", "members" … */
bool wiki_access_of(struct str name, enum wiki_access *access_out);

struct wiki {
    uint64_t id;
    struct str name, identity;
    struct str kind, url, owner, repo, branch, include, exclude;
    enum wiki_access access;
    struct group_id group;   /* WIKI_GROUP; 0: that group is gone, only the owner is left */
    struct user_id owner_id; /* 0: nobody (any more) */
    int64_t created_us;
    enum wiki_state state;
    struct str fault, note; /* of WIKI_FAILED: err_name() and the sentence */
    /* What the index holds. */
    struct str commit, branch_name;
    int64_t committed_s, indexed_us;
    uint64_t files, chunks, lines;
};

/* Who looks: decides what they see. A stranger is user 0. Administrators see all. */
struct wiki_reader {
    struct user_id user;
    bool admin;
};

/* `state` is WIKI_NEW, what the index holds is not looked at. ERR_CONFLICT: the name or the
 * identity is taken. */
MUST_USE enum err wikis_add(struct db *db, const struct wiki *wiki, uint64_t *id_out,
                            struct why *why);
/* ERR_NOT_FOUND also for what the reader may not see. */
MUST_USE enum err wikis_load(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                             uint64_t id, struct wiki *wiki_out, struct why *why);
MUST_USE enum err wikis_find(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                             struct str name, struct wiki *wiki_out, struct why *why);
/* Whatever the reader: for the one who has made the identity. */
/* By its number or, when it is no number, its name: what people and addresses say. */
MUST_USE enum err wikis_named(struct db *db, struct arena *arena, const struct wiki_reader *reader,
                              struct str word, struct wiki *wiki_out, struct why *why);
MUST_USE enum err wikis_find_identity(struct db *db, struct arena *arena, struct str identity,
                                      struct wiki *wiki_out, struct why *why);

typedef void wiki_each(void *ctx, const struct wiki *wiki);
/* Those that the reader may see, the newest first, from before that id (0: from the newest). */
MUST_USE enum err wikis_list(struct db *db, const struct wiki_reader *reader, uint64_t before,
                             uint64_t limit, wiki_each *each, void *ctx, struct why *why);

/* Those that a member added, the same way. */
MUST_USE enum err wikis_of_owner(struct db *db, struct user_id owner, uint64_t before,
                                 uint64_t limit, wiki_each *each, void *ctx, struct why *why);

/* Name, access, filters and with these the identity. ERR_CONFLICT: the name or the identity is
 * taken. */
MUST_USE enum err wikis_change(struct db *db, const struct wiki *wiki, struct why *why);
/* State, fault and note, and with WIKI_READY what the index holds. Nothing when it is gone. */
MUST_USE enum err wikis_set_state(struct db *db, const struct wiki *wiki, struct why *why);
/* Those that a dead process left WIKI_NEW or WIKI_WORKING: ready when they have an index, else
 * failed. */
MUST_USE enum err wikis_cut_off(struct db *db, struct str note, struct why *why);
/* Of those for their owner alone, the newest; 0: there is none. */
MUST_USE enum err wikis_private_of(struct db *db, struct user_id owner, uint64_t *id_out,
                                   struct why *why);

/* What a resident knows about and may speak of: a wiki that is for everyone. */
struct known_wiki {
    uint64_t id;     /* 0: none */
    struct str name; /* in the arena */
};
/* None, and that of a member, is OK. */
MUST_USE enum err wikis_known_to(struct db *db, struct arena *arena, struct user_id resident,
                                 struct known_wiki *wiki_out, struct why *why);

/* With all its books. */
MUST_USE enum err wikis_remove(struct db *db, uint64_t id, struct why *why);
