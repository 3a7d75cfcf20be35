/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/git_remote.h: how to get to a repository, and how to show that one may.
 */
#pragma once

#include "wiki/git.h"
#include "wiki/git_call.h"

/* A file of the folder with the settings for git's other end when that is on this machine
 * (file://): it does not get ours, and would refuse what belongs to another user. */
#define WIKI_GIT_SERVE "hutong-serve.config"

/* In `arena`. Known hosts have every repository with ".git" behind its name, and one of them
 * (GitLab) answers the other form with a redirect; elsewhere either may be the name. */
struct str wiki_remote_url(struct arena *arena, const struct wiki_fetch *fetch, bool dot_git);
/* The remote "from" of `git` is at `url` from now on: by the pinned address, with the token, no
 * further than that. Large blobs may stay there. */
void wiki_remote_set(struct wiki_git *git, const struct wiki_fetch *fetch, struct str url);
/* After git said that it was sent elsewhere (wiki_said.moved): asks again to hear where to. True:
 * to another path of the same host. In `arena`. */
bool wiki_remote_moved(struct arena *arena, const struct wiki_fetch *fetch, struct str url,
                       int64_t end_us, struct str *url_out);
