/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "llm/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROBE_MS = 300 };

const struct llm_local_place llm_locals[LLM_LOCALS] = {
    [LLM_LOCAL_LMSTUDIO] = {"lmstudio", "http://127.0.0.1:1234/v1", 1234},
    [LLM_LOCAL_OLLAMA] = {"ollama", "http://127.0.0.1:11434", 11434},
};

bool llm_probe_port(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool answers = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
    if (!answers && errno == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        int failed = 1;
        socklen_t len = sizeof(failed);
        answers = poll(&wait, 1, PROBE_MS) == 1 &&
                  getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0;
    }
    close(fd);
    return answers;
}
