/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * wiki/address.h: where a repository is, and whether this server may go there.
 *
 * An address is what a person pastes: https://HOST/PATH, http, ssh://, the
 * git@HOST:PATH form, file:///PATH, or an absolute folder of this machine.
 * It is written in one way here (lower-case host, no secret, no user but one of
 * ssh that is not "git", no trailing slash or ".git", no page of a file behind
 * it), so the same repository has one name: host, port and full path together,
 * never the last word of it alone.
 *
 * Strangers choose addresses, so two things are refused unless the operator
 * allows them: folders and file:// outside of the allowed roots, and hosts of
 * the server's own networks (RFC 1918, 6598, 4193, loopback, link-local …).
 * The address a name stands for is looked up once and handed on, so that it
 * cannot change between the look and the use.
 */
#pragma once

#include "base/arena.h"
#include "base/err.h"

enum wiki_host { WIKI_GITHUB, WIKI_GITLAB, WIKI_BITBUCKET, WIKI_GITEA, WIKI_PLAIN, WIKI_FOLDER };

struct wiki_address {
    enum wiki_host host_kind; /* how its web pages name a file, and how a token is shown */
    struct str url;           /* written in the one way; of a folder its path. Never a secret */
    struct str scheme;        /* "https", "http", "ssh", "file"; empty: a folder */
    struct str host;          /* empty: file and folder */
    int port;                 /* 0: the scheme's own */
    struct str user;          /* ssh: "git" unless another is named; else empty */
    struct str path;          /* "group/sub/repo"; of file and folder the absolute path;
                                 "~/repo": in the home of the user (ssh) */
    struct str owner, repo;   /* the last but one and the last part of the path; owner: "local"
                                 where there is none */
};

/*
 * `kind`: what the one who asks says it is ("github", "gitlab", "bitbucket", "gitea", "web",
 * "local"); empty, unknown or "web": by the host's name. "owner/repo" alone is of the best known
 * host of that kind, else of github.com; a host without scheme is https. A user and password in it
 * are ERR_INVALID, with the advice to give the token apart: nothing of them is in the sentence. In
 * `arena`.
 */
MUST_USE enum err wiki_address_parse(struct arena *arena, struct str text, struct str kind,
                                     struct wiki_address *address_out, struct why *why);
const char *wiki_host_name(enum wiki_host kind); /* "github" …, "web" for plain, "local" */

/* ssh shows the server's own key, so whoever may name such an address reads what that key reads:
 * administrators alone, and the operator in a terminal. */
static inline bool wiki_address_is_trusted(const struct wiki_address *address)
{
    return str_eq(address->scheme, STR("ssh"));
}

/* What the operator allows; from the settings. */
struct wiki_bounds {
    struct str roots;  /* folders whose insides may be read, separated by ':'; empty: none */
    struct str hosts;  /* hosts of own networks that may be called, separated by ',' */
    struct str closed; /* a folder that nothing in a root opens: the server's own data */
};

/*
 * May this server go there? Folders are resolved (symbolic links too) and must lie inside a root.
 * Names are looked up, and every address must be fine: may block for seconds, so on a worker.
 * `pin_out`: where to go, because it was looked at: the numeric address to connect to, or the
 * resolved path of a folder or file:// to open in place of the one that was named. In `arena`.
 * ERR_DENIED: not allowed, with the setting that allows it. ERR_NOT_FOUND: no such folder inside of
 * a root. ERR_UPSTREAM: nobody knows the name.
 */
MUST_USE enum err wiki_address_allow(struct arena *arena, const struct wiki_address *address,
                                     const struct wiki_bounds *bounds, struct str *pin_out,
                                     struct why *why);

/* Of "https", "http" and "ssh". */
int wiki_usual_port(struct str scheme);

/* Is it an address of the internet, as text ("192.0.2.1", "::1")? Not of this machine, a network of
 * its own or one set apart, nor any of these in the clothes of IPv6 (mapped, 6to4, NAT64). */
bool wiki_address_is_public(struct str numeric);

/* The web page of a file at a line (0: none), or empty where the host has none. In `arena`. */
struct str wiki_address_page(struct arena *arena, const struct wiki_address *address,
                             struct str commit, struct str path, int first, int last);
