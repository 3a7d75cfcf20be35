/* SPDX-License-Identifier: AGPL-3.0-or-later */
/*
 * llm/schema.h: does a model's answer have the shape it was asked for?
 *
 * A subset of JSON Schema (2020-12), which is also what providers take for
 * structured answers. Understood:
 *
 *   type (a name or several), enum, const, anyOf
 *   properties, required, additionalProperties (false, true or a schema)
 *   items, minItems, maxItems
 *   minimum, maximum
 *   minLength, maxLength (code points)
 *   true and false as schemas
 *
 * Every other keyword is ignored: title, description and default because they ask
 * nothing, $ref, allOf, oneOf, not, pattern, format … because our own schemas do
 * without; schema_vet() finds those in a schema of somebody else's. A keyword whose own value makes
 * no sense (`"minimum": "x"`) is ignored too, but a type nobody knows is none that a value can
 * have.
 *
 * As in the standard, a keyword about one kind of value says nothing about others:
 * `minLength` alone allows any number. 1.0 is an integer.
 */
#pragma once

#include "base/json.h"

/* ERR_INVALID: it has keywords that ask something and are not checked; the sentence names them. */
MUST_USE enum err schema_vet(const struct json *schema, struct why *why);

/*
 * ERR_INVALID: the first thing that is wrong, in the order of the schema, as a
 * sentence that a model can be sent for another try: "plan[2].minutes must be a whole
 * number". The value itself is called "the answer".
 */
MUST_USE enum err schema_check(const struct json *schema, const struct json *value,
                               struct why *why);
