/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/old_config.h: what an older deepwiki-open was set up with: the languages
 * wikis are written in and the models its page offers.
 *
 * Read once, at start, out of a folder (the setting wiki-config, there
 * DEEPWIKI_CONFIG_DIR): lang.json and generator.json, with ${NAME} in their
 * texts replaced from the environment. A file that is missing or makes no sense
 * is as none, and the log says so: languages are then the ten that such pages
 * know, and models those of our own sites.
 *
 * Its embedder is taken over too (wiki_old_embedder()). Not read: parameters of
 * models and the addresses of embedders (our sites know theirs), and repo.json.
 *
 * Read-only once it is made, on any thread; all texts live as long as it.
 */
#pragma once

#include "base/arena.h"
#include "base/settings.h"
#include "wiki/locale.h"

/* A provider as pages know it. */
struct wiki_offer {
    struct str id;
    struct str site; /* whose API it speaks: "google", "openai" …; by client_class, else `id` */
    bool custom;     /* any model of it may be asked for, not only these */
    struct str *models; /* the one that is meant when none is named comes first */
    size_t model_count;
};

enum { WIKI_LOCALES_MAX = 100, WIKI_LOCALE_MAX = 10 /* characters of a code */ };

struct wiki_old_config;

/* `folder` empty: no files. `env` is the environment (`environ`). */
struct wiki_old_config *wiki_old_config_new(struct str folder, char *const *env);
void wiki_old_config_free(struct wiki_old_config *config); /* NULL is fine */

/* At least one. */
const struct wiki_locales *wiki_old_locales(const struct wiki_old_config *config);

/* In the order of the file; 0: the file says nothing, so whatever there is may be offered. */
size_t wiki_offers(const struct wiki_old_config *config, const struct wiki_offer **list_out);
/* The id of the provider that is meant when none is named; may be empty. */
struct str wiki_offer_standard(const struct wiki_old_config *config);
/* The site that a page means by a provider's id: of an offer, else the id itself. */
struct str wiki_offer_site(const struct wiki_old_config *config, struct str id);

/*
 * wiki-embedder and its dimensions, unless they are set, as the older program would have had them:
 * by DEEPWIKI_EMBEDDER_TYPE and embedder.json; neither there: nothing. Marked as taken over: what
 * is not set up here is then left out with a word in the log. Before threads begin; in `arena`.
 */
void wiki_old_embedder(struct settings *settings, struct arena *arena, char *const *env);
