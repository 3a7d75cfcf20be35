/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * api/openapi.h: the route table as a document (OpenAPI 3.1) and as a page that
 * needs no internet.
 *
 * What the table says of fields is a list, "name:type:bounds, …":
 *
 *   type    text, int, number, bool, id, time, file, object, ids (a list of id);
 *           words "a|b|c", one of which it is; a schema's Name; [Name], a list
 *   ?       behind the type: it may be null, and in a request also absent;
 *           behind the name: it may be absent
 *   bounds  "3-50": code points of a text, value of a number; may be absent
 *
 * A reply is a schema's Name, [Name], a media type ("text/html"), or "" for no body;
 * behind it, after blanks, statuses of failures that do not follow from the rest of
 * the row, as who may, the body, the rate and the lane imply them: "Post 403".
 * Schemas stand as data in openapi.c, in the same words.
 */
#pragma once

#include "api/call.h"

/* Write the document of these routes. ERR_INVALID: a field or reply nobody understands, with the
 * place; a test holds the real table against this. */
MUST_USE enum err openapi_write(struct buf *to, const struct route *routes, size_t count,
                                struct why *why);

handler openapi_get; /* GET /openapi.json */
handler docs_get;    /* GET /docs and /redoc */
