/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "auth/ticket.h"

static const int64_t life_us = INT64_C(30000000);

static enum err give(struct tickets *tickets, uint64_t user, int64_t now_us, char *text)
{
    struct why why = {0};
    struct ticket_holder holder = {.user = {user}, .session = user * 10, .role = 3};
    return ticket_give(tickets, &holder, now_us, text, &why);
}

static enum err take(struct tickets *tickets, const char *text, int64_t now_us, uint64_t *user)
{
    struct why why = {0};
    struct ticket_holder holder = {0};
    enum err err = ticket_take(tickets, str_of(text), now_us, &holder, &why);
    assert_true(err == OK || why.text[0] != '\0');
    *user = holder.user.value;
    assert_int_equal(holder.session, *user * 10);
    assert_int_equal(holder.role, err == OK ? 3 : 0);
    return err;
}

static void a_ticket_lets_its_holder_in_once(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_new(10, life_us);
    char one[TICKET_TEXT_BYTES], two[TICKET_TEXT_BYTES];
    uint64_t user;
    assert_int_equal(give(tickets, 7, 100, one), OK);
    assert_int_equal(give(tickets, 8, 100, two), OK);
    assert_int_equal(strlen(one), TICKET_TEXT_BYTES - 1);
    assert_string_not_equal(one, two);
    assert_int_equal(take(tickets, two, 200, &user), OK);
    assert_int_equal(user, 8);
    assert_int_equal(take(tickets, two, 200, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(take(tickets, one, 200, &user), OK);
    assert_int_equal(user, 7);
    assert_int_equal(take(tickets, one, 200, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(tickets_count(tickets), 0);
    tickets_check(tickets);
    tickets_free(tickets);
}

static void a_ticket_is_over_after_its_life(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_new(10, life_us);
    char one[TICKET_TEXT_BYTES], two[TICKET_TEXT_BYTES], three[TICKET_TEXT_BYTES];
    uint64_t user;
    assert_int_equal(give(tickets, 1, 1000, one), OK);
    assert_int_equal(give(tickets, 1, 1000, two), OK);
    assert_int_equal(give(tickets, 1, 900, three), OK); /* a thread that read the clock earlier */
    assert_int_equal(take(tickets, three, 900 + life_us, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(take(tickets, one, 1000 + life_us - 1, &user), OK);
    assert_int_equal(take(tickets, two, 1000 + life_us, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(tickets_count(tickets), 0);
    tickets_check(tickets);
    tickets_free(tickets);
}

static void what_was_never_given_lets_nobody_in(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_new(10, life_us);
    char text[TICKET_TEXT_BYTES];
    uint64_t user;
    assert_int_equal(give(tickets, 1, 0, text), OK);
    assert_int_equal(take(tickets, "", 0, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(take(tickets, "short", 0, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(take(tickets, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, &user),
                     ERR_UNKNOWN_CALLER);
    char longer[TICKET_TEXT_BYTES + 8];
    snprintf(longer, sizeof(longer), "%sA", text);
    assert_int_equal(take(tickets, longer, 0, &user), ERR_UNKNOWN_CALLER);
    text[0] = text[0] == 'A' ? 'B' : 'A';
    assert_int_equal(take(tickets, text, 0, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(tickets_count(tickets), 1);
    tickets_free(tickets); /* with one waiting */
}

static void a_member_with_many_tickets_loses_the_oldest_and_only_its_own(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_new(1000, life_us);
    char other[TICKET_TEXT_BYTES], text[100][TICKET_TEXT_BYTES];
    uint64_t user;
    assert_int_equal(give(tickets, 2, 0, other), OK);
    for (int i = 0; i < 100; i++) assert_int_equal(give(tickets, 1, i, text[i]), OK);
    assert_int_equal(tickets_count(tickets), 1 + TICKETS_PER_MEMBER);
    tickets_check(tickets);
    for (int i = 0; i < 100; i++) {
        enum err wanted = i < 100 - TICKETS_PER_MEMBER ? ERR_UNKNOWN_CALLER : OK;
        assert_int_equal(take(tickets, text[i], 200, &user), wanted);
    }
    assert_int_equal(take(tickets, other, 200, &user), OK);
    assert_int_equal(user, 2);
    tickets_free(tickets);
}

static void a_full_table_asks_to_wait_and_is_free_again_when_tickets_expire(void **state)
{
    (void)state;
    struct tickets *tickets = tickets_new(100, life_us);
    char text[TICKET_TEXT_BYTES], mine[TICKET_TEXT_BYTES];
    uint64_t user;
    for (uint64_t i = 1; i <= 100; i++) assert_int_equal(give(tickets, i, 0, mine), OK);
    assert_int_equal(give(tickets, 101, 5, text), ERR_BUSY);
    assert_int_equal(text[0], '\0');
    assert_int_equal(give(tickets, 100, 5, text), OK); /* in place of its own */
    assert_int_equal(take(tickets, mine, 6, &user), ERR_UNKNOWN_CALLER);
    assert_int_equal(tickets_count(tickets), 100);
    assert_int_equal(give(tickets, 101, life_us, text), OK);
    assert_int_equal(tickets_count(tickets), 2);
    tickets_check(tickets);
    tickets_free(tickets);
}

struct race {
    struct tickets *tickets;
    char (*texts)[TICKET_TEXT_BYTES];
    int won;
};

enum { RACED = 500 };

static void *take_all(void *ctx)
{
    struct race *race = ctx;
    for (int i = 0; i < RACED; i++) {
        struct ticket_holder holder;
        struct why why;
        race->won += ticket_take(race->tickets, str_of(race->texts[i]), 1, &holder, &why) == OK;
    }
    return NULL;
}

static void of_two_who_show_the_same_ticket_one_gets_in(void **state)
{
    (void)state;
    static char texts[RACED][TICKET_TEXT_BYTES];
    struct tickets *tickets = tickets_new(RACED, life_us);
    for (int i = 0; i < RACED; i++) {
        assert_int_equal(give(tickets, (uint64_t)i + 1, 0, texts[i]), OK);
    }
    struct race races[4];
    pthread_t threads[COUNT_OF(races)];
    int won = 0;
    for (size_t i = 0; i < COUNT_OF(races); i++) {
        races[i] = (struct race){.tickets = tickets, .texts = texts};
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &races[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(races); i++) {
        pthread_join(threads[i], NULL);
        won += races[i].won;
    }
    assert_int_equal(won, RACED);
    tickets_check(tickets);
    tickets_free(tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_lets_its_holder_in_once),
        cmocka_unit_test(a_ticket_is_over_after_its_life),
        cmocka_unit_test(what_was_never_given_lets_nobody_in),
        cmocka_unit_test(a_member_with_many_tickets_loses_the_oldest_and_only_its_own),
        cmocka_unit_test(a_full_table_asks_to_wait_and_is_free_again_when_tickets_expire),
        cmocka_unit_test(of_two_who_show_the_same_ticket_one_gets_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
