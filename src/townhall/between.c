/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "townhall/between.h"

bool is_between(const struct effect *effect)
{
    bool letters = effect->deed == DEED_SEND_MESSAGE || effect->deed == DEED_CHECK_MESSAGES;
    return letters && (effect->other == NOBODY || is_member(effect->other));
}

static bool is_public_fact(uint8_t fact)
{
    return fact == FACT_READ || fact == FACT_LIKED_BY || fact == FACT_COMMENTED_BY ||
           fact == FACT_FOLLOWED_BY;
}

bool memory_is_between(const struct memory *memory)
{
    if (!is_member(memory->who)) return false;
    /* A thought is about everything that was between them. */
    return !is_public_fact(memory->fact == FACT_DAY ? memory->about : memory->fact);
}

bool may_see(const struct cast *cast, uint32_t member, struct user_id reader)
{
    return reader.value == 0 || cast_user(cast, member).value == reader.value;
}

struct str phone_words(bool chinese)
{
    return chinese ? STR("看手机") : STR("uses the phone");
}

bool names_member(const struct cast *cast, struct str text)
{
    for (size_t i = 0; i < cast->member_count; i++) {
        struct str name = cast->members[i].name;
        if (name.len && str_find(text, name) < text.len) return true;
    }
    return false;
}
