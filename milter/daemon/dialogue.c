/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/dialogue.h"

#include "daemon/counters.h"
#include "daemon/hits_queue.h"
#include "daemon/logger.h"
#include "daemon/open_sessions.h"
#include "daemon/report.h"
#include "daemon/service.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void answer_with(struct dialogue *dialogue, const char *text, size_t length)
{
    dialogue->out = netstring_write(dialogue->output, sizeof dialogue->output, text, length);
}

/* The milter is asked too about what the map reply does not refuse: it counts that, and all of it in observe mode. */
static void count_hit(const struct map_answer *found, bool counts,
                      const struct map_question *question)
{
    bool alone = question->sessions == 0;
    if (found->map == MAP_REPLY && (counts ? found->result == MAP_OK : alone))
        hits_queue_add(&found->answer, found->sender == NULL ? "?" : found->sender,
                       found->sender == NULL ? 1 : found->sender_length, question->now);
}

static void look_up(struct dialogue *dialogue, const struct netstring *request)
{
    static const char *const words[] = {
        [MAP_OK] = "OK ", [MAP_NOTFOUND] = "NOTFOUND ", [MAP_TEMP] = "TEMP "};
    const struct map_question question = {.request = request->payload,
                                          .length = request->length,
                                          .now = time(NULL),
                                          .uptime = counters_uptime(),
                                          .sessions = open_sessions_count()};
    struct map_answer found;
    char text[sizeof "NOTFOUND " + sizeof found.value];
    bool counts = service_map(&found, &question);

    if (found.map == MAP_UNKNOWN)
        log_line(LOG_ERR, "lookup: '%.*s': %s",
                 (int)(request->length < 200 ? request->length : 200), request->payload,
                 found.value);
    if (found.asked) {
        counters_count(COUNTERS_MAP + found.map, found.answer.rule);
        report_lookup(&found, counts);
        count_hit(&found, counts, &question);
    }
    answer_with(dialogue, text,
                (size_t)snprintf(text, sizeof text, "%s%s", words[found.result], found.value));
}

/* Of the request "stats": no map of a mail server, but for movedctl. */
static void answer_stats(struct dialogue *dialogue)
{
    char text[sizeof "OK " + COUNTERS_SIZE] = "OK ";
    answer_with(dialogue, text, 3 + counters_write(text + 3, COUNTERS_SIZE));
}

enum dialogue_result dialogue_answer(struct dialogue *dialogue)
{
    struct netstring request;
    size_t used = 0;

    if (dialogue->skip == 0) {
        enum netstring_result result = netstring_parse(&request, dialogue->input, dialogue->in);
        if (result == NETSTRING_BAD)
            return DIALOGUE_BAD;
        if (result == NETSTRING_PART && request.total <= sizeof dialogue->input)
            return DIALOGUE_PART;
        if (result == NETSTRING_PART)
            dialogue->skip = request.total;
        else if (request.length == strlen(COUNTERS_NAME) &&
                 memcmp(request.payload, COUNTERS_NAME, request.length) == 0)
            answer_stats(dialogue);
        else
            look_up(dialogue, &request);
        used = result == NETSTRING_PART ? 0 : request.total;
    }
    if (dialogue->skip > 0) {
        used = dialogue->skip < dialogue->in ? dialogue->skip : dialogue->in;
        dialogue->skip -= used;
        if (dialogue->skip == 0)
            answer_with(dialogue, "NOTFOUND ", strlen("NOTFOUND "));
    }
    dialogue->in -= used;
    memmove(dialogue->input, dialogue->input + used, dialogue->in);
    return dialogue->out > 0 ? DIALOGUE_ANSWERED : DIALOGUE_PART;
}
