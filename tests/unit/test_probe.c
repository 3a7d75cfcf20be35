/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* Whether something listens on this machine. */
#include "llm/probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "unit.h"

static void what_listens_is_found_and_what_does_not_is_not(void **state)
{
    (void)state;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(here);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
    int port = ntohs(here.sin_port);
    assert_false(llm_probe_port(port)); /* bound, and deaf */
    assert_int_equal(listen(fd, 4), 0);
    assert_true(llm_probe_port(port));
    close(fd);
    assert_false(llm_probe_port(port));
}

/* What is shown as an address is the port that is tried. */
static void addresses_and_ports_are_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < LLM_LOCALS; i++) {
        struct str rest = str_of(llm_locals[i].base), port;
        uint64_t number;
        for (int colons = 0; colons < 2; colons++) assert_true(str_split(&rest, ':', &port));
        assert_true(str_to_u64(str_head(rest, str_find_byte(rest, '/')), &number));
        assert_int_equal(number, llm_locals[i].port);
        assert_true(str_starts(str_of(llm_locals[i].base), STR("http://127.0.0.1:")));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_listens_is_found_and_what_does_not_is_not),
        cmocka_unit_test(addresses_and_ports_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
