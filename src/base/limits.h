/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * base/limits.h: every fixed ceiling of the house, each with its reason.
 * Ceilings an operator may move are settings instead.
 */
#pragma once

enum {
    /* A request's head: browsers with many cookies stay under 8 KiB, proxies allow the same. */
    LIMIT_HEAD_BYTES = 16 * 1024,
    LIMIT_HEADERS = 64,
    LIMIT_TARGET_BYTES = 8 * 1024,
    /* One JSON body: the longest text allowed (5,000 code points of 4 bytes, every one escaped as
     * two \uXXXX) is 60 kB. */
    LIMIT_JSON_BYTES = 128 * 1024,
    /* A program's request to a model: a long conversation with some pictures in base64. */
    LIMIT_GATEWAY_BYTES = 8 * 1024 * 1024,
    /* What administrators send: a list of some thousand residents. */
    LIMIT_ADMIN_BYTES = 4 * 1024 * 1024,
    /* Deeper JSON than this is no request of ours, and recursion must end. */
    LIMIT_JSON_DEPTH = 32,
    /* One reply built in memory: 100 posts of 5,000 four-byte characters, escaped. */
    LIMIT_REPLY_BYTES = 16 * 1024 * 1024,
    /* Bytes a peer may send ahead (pipelining) before we stop reading from it. */
    LIMIT_READ_AHEAD_BYTES = 64 * 1024,
    /* One read from a socket; the buffer is the loop's, not the connection's. */
    LIMIT_READ_BYTES = 64 * 1024,

    /* Text, in code points, as in the systems we are compatible with. */
    LIMIT_USERNAME_MIN = 3,
    LIMIT_USERNAME_MAX = 50,
    LIMIT_PASSWORD_MIN = 6,
    LIMIT_PASSWORD_MAX = 100,
    LIMIT_NICKNAME_MAX = 50,
    LIMIT_BIO_MAX = 2000,
    LIMIT_POST_MAX = 5000,
    LIMIT_COMMENT_MAX = 1000,
    LIMIT_MESSAGE_MAX = 2000,
    LIMIT_GROUP_NAME_MAX = 100,
    LIMIT_GROUP_MEMBERS = 500,
    LIMIT_CLIENT_ID_MAX = 64, /* a UUID and some */

    /* A community's name stands at the head of a narrow column; what it says of itself is a
     * sentence or two. The table of MariaDB holds no more. */
    LIMIT_COMMUNITY_NAME_MAX = 50,
    LIMIT_COMMUNITY_ABOUT_MAX = 200,

    /* What a member adds to a report, and how many of theirs may wait for moderators: more than
     * anybody means well, few enough to be read. */
    LIMIT_REPORT_NOTE_MAX = 500,
    LIMIT_REPORTS_OPEN = 50,

    /* A member's keys for programs: one for each program, and then some. */
    LIMIT_KEYS = 100,
    LIMIT_KEY_NAME_MAX = 100,
    LIMIT_KEY_MODELS = 50,
    /* "SITE/MODEL": the longest names in use have some 90. */
    LIMIT_MODEL_BYTES = 200,

    LIMIT_PAGE_SIZE = 100,

    /* A question of an older client over /ws/chat, which sends the whole talk and a list of all
     * files with it: its own server took 16 MiB in a frame. Over HTTP LIMIT_BOOK_BYTES. */
    LIMIT_WIKI_BYTES = 16 * 1024 * 1024,

    /* One WebSocket message from a member; ours are all small JSON. */
    LIMIT_WS_MESSAGE_BYTES = 64 * 1024,

    /* One file of a repository: the largest that people wrote have some 3 MB (a type checker). Of
     * the kinds that hold data (JSON, CSV) those past the second are no text to read. */
    LIMIT_WIKI_FILE_BYTES = 4 * 1024 * 1024,
    LIMIT_WIKI_DATA_BYTES = 256 * 1024,
    /* The same as UTF-8: a byte of Latin-1 becomes two. */
    LIMIT_WIKI_TEXT_BYTES = 2 * LIMIT_WIKI_FILE_BYTES,
    /* The largest repositories known have half as many. Each takes some 200 bytes. */
    LIMIT_WIKI_FILES = 1000 * 1000,
    LIMIT_WIKI_PATH_BYTES = 1024,
    /* What git says of all of them: a line of 160 bytes is usual. */
    LIMIT_WIKI_LISTING_BYTES = 256 * 1024 * 1024,
    /* Folders within folders: each holds a descriptor while we are below it. */
    LIMIT_WIKI_DEPTH = 64,
    /* Where a repository is: browsers cut off at some 2,000. */
    LIMIT_WIKI_ADDRESS_BYTES = 2000,
    /* Of git while it fetches; more than ours ever need, less than a bomb would take. */
    LIMIT_WIKI_GIT_MEMORY = 2000 * 1000 * 1000,
    /* A .gitignore or .gitattributes, and the lines of one that count. */
    LIMIT_WIKI_IGNORE_BYTES = 256 * 1024,
    /* All of them in one repository: each is kept while it is walked. */
    LIMIT_WIKI_RULES_BYTES = 8 * 1024 * 1024,
    LIMIT_WIKI_PATTERNS = 2000,
    LIMIT_WIKI_PATTERN_BYTES = 1024,
    /* A written wiki as older pages hand it in or want it as a file: twelve pages of 10 to 50 kB
     * are usual. What is made of it has every page's head twice, or six bytes for each sign of
     * three. */
    LIMIT_BOOK_BYTES = 10 * 1024 * 1024,
    LIMIT_BOOK_REPLY_BYTES = 48 * 1024 * 1024,
    /* Values in the JSON of such a thing, and of an older client's question: five hundred pages
     * with all that they have are some 100,000. In memory each takes some 64 bytes. */
    LIMIT_BOOK_VALUES = 200 * 1000,
    LIMIT_BOOK_PAGES = 500,
    LIMIT_BOOK_LIST = 2000, /* files or pages that one page names */
    /* Of strangers: books in all, and older versions of one that are kept. */
    LIMIT_BOOKS_GUESTS = 1000,
    LIMIT_BOOKS_GUESTS_VERSIONS = 3,
};
