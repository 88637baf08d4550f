/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client of the lookup socket can send: its bytes go through the server's own framing, to a real table.
 * The first octet says in pieces of which length they come, and whether a milter session is open. */
#include "daemon.h"

#include "daemon/dialogue.h"
#include "daemon/open_sessions.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SESSION 0x80

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A session that is negotiated, or none. */
static void set_session(bool wanted)
{
    static const unsigned char hello[] = {0, 0, 0, 13,   'O', 0,    0,    0,   6,
                                          0, 0, 1, 0xff, 0,   0x1f, 0xff, 0xff};
    static int fd = -1;
    char answer[512];

    if (wanted && fd < 0) {
        fd = fuzz_daemon_connect();
        if (write(fd, hello, sizeof hello) != sizeof hello ||
            TEMP_FAILURE_RETRY(read(fd, answer, sizeof answer)) < 17) /* libFuzzer has an alarm */
            abort();
    } else if (!wanted && fd >= 0) {
        close(fd);
        fd = -1;
        while (open_sessions_count() > 0) /* libmilter notices in a thread of its own */
            poll(NULL, 0, 1);
    }
}

static bool begins_with(const struct netstring *answer, const char *word)
{
    return answer->length >= strlen(word) && memcmp(answer->payload, word, strlen(word)) == 0;
}

/* One whole netstring, in which a map has said something, and nothing of anybody's memory. */
static void check(const struct dialogue *dialogue)
{
    struct netstring answer;
    if (netstring_parse(&answer, dialogue->output, dialogue->out) != NETSTRING_WHOLE ||
        answer.total != dialogue->out)
        abort();
    if (memchr(answer.payload, '\0', answer.length) != NULL)
        abort();
    if (!begins_with(&answer, "OK ") && !begins_with(&answer, "TEMP ") &&
        !(begins_with(&answer, "NOTFOUND ") && answer.length == strlen("NOTFOUND ")))
        abort();
}

/* Answers all that is whole. Returns -1 where the connection would be closed. */
static int answer_all(struct dialogue *dialogue)
{
    enum dialogue_result result;
    while ((result = dialogue_answer(dialogue)) == DIALOGUE_ANSWERED) {
        check(dialogue);
        dialogue->out = 0;
    }
    if (result == DIALOGUE_PART && dialogue->in == sizeof dialogue->input)
        abort(); /* there is no room for the rest: it would wait for ever */
    return result == DIALOGUE_BAD ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dialogue dialogue;
    fuzz_daemon_start();
    if (size == 0)
        return 0;
    size_t piece = 1 + 16 * (size_t)(data[0] & 0x7f);
    set_session((data[0] & SESSION) != 0);

    memset(&dialogue, 0, sizeof dialogue);
    for (size_t at = 1; at < size;) {
        size_t room = sizeof dialogue.input - dialogue.in, length = size - at;
        length = length < piece ? length : piece;
        length = length < room ? length : room;
        memcpy(dialogue.input + dialogue.in, data + at, length);
        dialogue.in += length;
        at += length;
        if (answer_all(&dialogue) != 0)
            break;
    }
    return 0;
}
