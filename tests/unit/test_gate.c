/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "unit.h"

#include "base/mem.h"
#include "llm/gate.h"

enum { SECOND = 1000 * 1000, START = 1000 * SECOND };

static struct gate_ticket ticket_new(struct loop *loop, void (*granted)(struct gate_ticket *))
{
    struct gate_ticket ticket = {.loop = loop, .granted = granted};
    list_init(&ticket.link);
    return ticket;
}

static enum gate_answer enter(struct gate *gate, int64_t now_us)
{
    struct gate_ticket ticket = ticket_new(NULL, NULL);
    return gate_enter(gate, &ticket, LLM_PERSON, now_us);
}

/* One call from its beginning to its end. */
static void pass(struct gate *gate, enum llm_fault fault, int64_t first_us, int64_t now_us)
{
    assert_int_equal(enter(gate, now_us), GATE_GO);
    gate_leave(gate, fault, first_us, now_us);
}

/* --- who comes next --- */

enum { PEOPLE = 12, RESIDENTS = 12 };

struct queue {
    struct gate *gate;
    struct loop *loop;
    size_t granted;
    char order[PEOPLE + RESIDENTS + 1];
};

struct visitor {
    struct gate_ticket ticket;
    struct queue *queue;
    char sign;
};

static void on_granted(struct gate_ticket *ticket)
{
    struct visitor *visitor = CONTAINER_OF(ticket, struct visitor, ticket);
    struct queue *queue = visitor->queue;
    queue->order[queue->granted++] = visitor->sign;
    gate_leave(queue->gate, LLM_FAULT_NONE, 1000, START);
    if (queue->granted == PEOPLE + RESIDENTS) loop_stop(queue->loop);
}

static void people_come_first_but_every_eighth_place_is_for_the_last_in_rank(void **state)
{
    (void)state;
    struct why why;
    struct queue queue = {.gate = gate_new(1, 100)};
    struct visitor visitors[PEOPLE + RESIDENTS];
    assert_int_equal(loop_open(&queue.loop, &why), OK);
    assert_int_equal(enter(queue.gate, START), GATE_GO);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        bool resident = i < RESIDENTS; /* they came earlier */
        visitors[i] = (struct visitor){.queue = &queue, .sign = resident ? 'r' : 'p'};
        visitors[i].ticket = ticket_new(queue.loop, on_granted);
        assert_int_equal(gate_enter(queue.gate, &visitors[i].ticket,
                                    resident ? LLM_RESIDENT : LLM_PERSON, START),
                         GATE_WAIT);
    }
    assert_int_equal(gate_state(queue.gate).waiting, PEOPLE + RESIDENTS);
    gate_leave(queue.gate, LLM_FAULT_NONE, 1000, START);
    loop_run(queue.loop);
    assert_string_equal(queue.order, "ppppppprppppprrrrrrrrrrr");
    assert_int_equal(gate_state(queue.gate).running, 0);
    loop_close(queue.loop);
    gate_free(queue.gate);
}

static void programs_that_wait_keep_no_person_out(void **state)
{
    (void)state;
    struct gate *gate = gate_new(1, 2);
    struct gate_ticket running = {0}, waiting[3] = {0}, late = {0};
    assert_int_equal(gate_enter(gate, &running, LLM_PROGRAM, START), GATE_GO);
    for (int i = 0; i < 2; i++)
        assert_int_equal(gate_enter(gate, &waiting[i], LLM_PROGRAM, START), GATE_WAIT);
    assert_int_equal(gate_enter(gate, &late, LLM_PROGRAM, START), GATE_FULL);
    assert_int_equal(gate_enter(gate, &late, LLM_RESIDENT, START), GATE_FULL);
    assert_int_equal(gate_enter(gate, &waiting[2], LLM_PERSON, START), GATE_WAIT);
    for (int i = 0; i < 3; i++) assert_true(gate_withdraw(gate, &waiting[i]));
    assert_int_equal(gate_enter(gate, &waiting[0], LLM_RESIDENT, START), GATE_WAIT);
    assert_true(gate_withdraw(gate, &waiting[0]));
    gate_free(gate);
}

static void a_full_queue_refuses_and_a_withdrawn_ticket_makes_room(void **state)
{
    (void)state;
    struct gate *gate = gate_new(1, 1);
    struct gate_ticket waits = ticket_new(NULL, NULL);
    assert_int_equal(enter(gate, START), GATE_GO);
    assert_int_equal(gate_enter(gate, &waits, LLM_PERSON, START), GATE_WAIT);
    assert_int_equal(enter(gate, START), GATE_FULL);
    assert_true(gate_withdraw(gate, &waits));
    assert_false(gate_withdraw(gate, &waits));
    assert_int_equal(gate_enter(gate, &waits, LLM_PERSON, START), GATE_WAIT);
    assert_true(gate_withdraw(gate, &waits));
    gate_leave(gate, LLM_FAULT_NONE, -1, START);
    assert_int_equal(gate_state(gate).refused, 1);
    gate_free(gate);
}

/* --- how many at once --- */

static void the_limit_falls_once_a_second_and_climbs_back_slowly(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 0);
    pass(gate, LLM_FAULT_RATE, -1, START);
    assert_int_equal(gate_state(gate).limit, 7);
    pass(gate, LLM_FAULT_RATE, -1, START + SECOND / 2);
    assert_int_equal(gate_state(gate).limit, 7);
    pass(gate, LLM_FAULT_OVERLOAD, -1, START + SECOND);
    assert_int_equal(gate_state(gate).limit, 4);
    for (int i = 0; i < 6; i++) pass(gate, LLM_FAULT_NONE, 1000, START + SECOND);
    assert_int_equal(gate_state(gate).limit, 6);
    for (int i = 0; i < 1000; i++) pass(gate, LLM_FAULT_NONE, 1000, START + SECOND);
    assert_int_equal(gate_state(gate).limit, 10);
    for (int i = 0; i < 100; i++) pass(gate, LLM_FAULT_RATE, -1, START + (2 + i) * (int64_t)SECOND);
    assert_int_equal(gate_state(gate).limit, 1); /* never none */
    gate_free(gate);
}

static void first_words_that_come_much_later_than_usual_lower_the_limit(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 0);
    for (int i = 0; i < 50; i++) pass(gate, LLM_FAULT_NONE, SECOND / 10, START);
    assert_int_equal(gate_state(gate).limit, 10);
    for (int i = 0; i < 10; i++) pass(gate, LLM_FAULT_NONE, 5 * SECOND, START + i);
    assert_int_equal(gate_state(gate).limit, 9);
    gate_free(gate);
}

/* --- the circuit --- */

static void fail_times(struct gate *gate, int times, int64_t now_us)
{
    for (int i = 0; i < times; i++) pass(gate, LLM_FAULT_SERVER, -1, now_us);
}

static void five_failures_in_a_row_open_the_circuit_and_one_probe_closes_it(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    fail_times(gate, 4, START);
    pass(gate, LLM_FAULT_NONE, 1000, START);
    fail_times(gate, 4, START);
    assert_false(gate_state(gate).open);
    fail_times(gate, 1, START);
    assert_true(gate_state(gate).open);
    assert_int_equal(enter(gate, START + 9 * SECOND), GATE_OPEN);
    int64_t later = START + 12 * SECOND; /* ten seconds, and up to a tenth more */
    assert_int_equal(enter(gate, later), GATE_GO);
    assert_int_equal(enter(gate, later), GATE_OPEN); /* one probe at a time */
    gate_leave(gate, LLM_FAULT_NONE, 1000, later);
    assert_false(gate_state(gate).open);
    pass(gate, LLM_FAULT_NONE, 1000, later);
    gate_free(gate);
}

static void a_probe_closes_the_circuit_with_its_first_piece(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    assert_int_equal(enter(gate, START), GATE_GO);
    fail_times(gate, 5, START);
    gate_heard(gate); /* of one from before: what failed since then says more */
    assert_true(gate_state(gate).open);
    int64_t at = START + 12 * SECOND;
    assert_int_equal(enter(gate, at), GATE_GO);
    assert_int_equal(enter(gate, at), GATE_OPEN);
    gate_heard(gate);
    assert_false(gate_state(gate).open);
    pass(gate, LLM_FAULT_NONE, 1000, at);
    gate_leave(gate, LLM_FAULT_TRUNCATED, 1000, at); /* one failure like any other */
    assert_false(gate_state(gate).open);
    fail_times(gate, 4, at);
    assert_true(gate_state(gate).open);
    assert_int_equal(enter(gate, at + 12 * SECOND), GATE_GO); /* ten seconds again */
    gate_leave(gate, LLM_FAULT_NONE, 1000, at + 12 * SECOND);
    gate_leave(gate, LLM_FAULT_NONE, 1000, at + 12 * SECOND);
    gate_free(gate);
}

static void a_probe_that_fails_doubles_the_pause_and_one_that_is_given_up_says_nothing(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    fail_times(gate, 5, START);
    int64_t at = START + 12 * SECOND;
    assert_int_equal(enter(gate, at), GATE_GO);
    gate_leave(gate, LLM_FAULT_BUSY, -1, at); /* cancelled: the next one probes */
    assert_int_equal(enter(gate, at), GATE_GO);
    gate_leave(gate, LLM_FAULT_CONNECTION, -1, at);
    assert_int_equal(gate_state(gate).openings, 2);
    assert_int_equal(enter(gate, at + 19 * SECOND), GATE_OPEN);
    pass(gate, LLM_FAULT_NONE, 1000, at + 23 * SECOND);
    assert_false(gate_state(gate).open);
    gate_free(gate);
}

static void more_than_half_of_twenty_open_it_and_wrong_keys_do_not_count(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    for (int i = 0; i < 30; i++) pass(gate, LLM_FAULT_AUTH, -1, START);
    assert_false(gate_state(gate).open);
    int64_t at = START + 60 * SECOND; /* a window anew */
    for (int i = 0; i < 9; i++) {
        pass(gate, LLM_FAULT_NONE, 1000, at);
        pass(gate, LLM_FAULT_TIMEOUT, -1, at);
    }
    assert_false(gate_state(gate).open);
    fail_times(gate, 2, at);
    assert_true(gate_state(gate).open);
    gate_free(gate);
}

static void on_turned_away(struct gate_ticket *ticket)
{
    struct visitor *visitor = CONTAINER_OF(ticket, struct visitor, ticket);
    assert_true(ticket->turned_away);
    if (++visitor->queue->granted == 3) loop_stop(visitor->queue->loop);
}

static void who_waits_when_the_circuit_opens_is_turned_away_at_once(void **state)
{
    (void)state;
    struct why why;
    struct queue queue = {.gate = gate_new(1, 10)};
    struct visitor visitors[3];
    assert_int_equal(loop_open(&queue.loop, &why), OK);
    fail_times(queue.gate, 4, START);
    assert_int_equal(enter(queue.gate, START), GATE_GO);
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] = (struct visitor){.queue = &queue};
        visitors[i].ticket = ticket_new(queue.loop, on_turned_away);
        assert_int_equal(gate_enter(queue.gate, &visitors[i].ticket, LLM_PERSON, START), GATE_WAIT);
    }
    gate_leave(queue.gate, LLM_FAULT_SERVER, -1, START);
    assert_int_equal(gate_state(queue.gate).waiting, 0);
    assert_int_equal(gate_state(queue.gate).running, 0);
    assert_int_equal(gate_state(queue.gate).refused, 3);
    assert_false(gate_withdraw(queue.gate, &visitors[0].ticket));
    loop_run(queue.loop);
    assert_int_equal(queue.granted, 3);
    loop_close(queue.loop);
    gate_free(queue.gate);
}

/* --- retries and keys --- */

static void retries_are_a_tenth_of_what_is_asked_and_ten_in_reserve(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    for (int i = 0; i < 10; i++) assert_true(gate_may_retry(gate));
    assert_false(gate_may_retry(gate));
    for (int i = 0; i < 9; i++) pass(gate, LLM_FAULT_NONE, 1000, START);
    assert_false(gate_may_retry(gate));
    pass(gate, LLM_FAULT_NONE, 1000, START);
    assert_true(gate_may_retry(gate));
    assert_false(gate_may_retry(gate));
    gate_free(gate);
}

static void keys_take_turns_and_parked_ones_are_left_alone(void **state)
{
    (void)state;
    struct gate *gate = gate_new(10, 10);
    assert_int_equal(gate_take_key(gate, 0, START), -1);
    for (int i = 0; i < 6; i++) assert_int_equal(gate_take_key(gate, 3, START), i % 3);
    gate_park_key(gate, 1, START + SECOND, LLM_FAULT_RATE);
    assert_int_equal(gate_take_key(gate, 3, START), 0);
    assert_int_equal(gate_take_key(gate, 3, START), 2);
    gate_park_key(gate, 0, START + SECOND, LLM_FAULT_RATE);
    gate_park_key(gate, 2, START + 2 * SECOND, LLM_FAULT_RATE);
    assert_int_equal(gate_take_key(gate, 3, START), -1);
    assert_int_equal(gate_take_key(gate, 3, START + SECOND), 0);
    assert_int_equal(gate_take_key(gate, 3, START + SECOND), 1);
    gate_free(gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_come_first_but_every_eighth_place_is_for_the_last_in_rank),
        cmocka_unit_test(programs_that_wait_keep_no_person_out),
        cmocka_unit_test(a_full_queue_refuses_and_a_withdrawn_ticket_makes_room),
        cmocka_unit_test(the_limit_falls_once_a_second_and_climbs_back_slowly),
        cmocka_unit_test(first_words_that_come_much_later_than_usual_lower_the_limit),
        cmocka_unit_test(five_failures_in_a_row_open_the_circuit_and_one_probe_closes_it),
        cmocka_unit_test(a_probe_closes_the_circuit_with_its_first_piece),
        cmocka_unit_test(
            a_probe_that_fails_doubles_the_pause_and_one_that_is_given_up_says_nothing),
        cmocka_unit_test(more_than_half_of_twenty_open_it_and_wrong_keys_do_not_count),
        cmocka_unit_test(who_waits_when_the_circuit_opens_is_turned_away_at_once),
        cmocka_unit_test(retries_are_a_tenth_of_what_is_asked_and_ten_in_reserve),
        cmocka_unit_test(keys_take_turns_and_parked_ones_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
