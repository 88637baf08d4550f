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

/* ---- one request */

static const char *const words[] = {
    [MAP_OK] = "OK ", [MAP_NOTFOUND] = "NOTFOUND ", [MAP_TEMP] = "TEMP "};

static void answer_with(struct dialogue *dialogue, const struct map_answer *found)
{
    char text[sizeof "NOTFOUND " + sizeof found->value];
    snprintf(text, sizeof text, "%s%s", words[found->result], found->value);
    dialogue->out = netstring_write(dialogue->output, sizeof dialogue->output, text, strlen(text));
}

/* "stats": no map of a mail server, but for movedctl. All counters are of one moment. */
static bool is_about_stats(const char *request, size_t length)
{
    return length == strlen(COUNTERS_NAME) && memcmp(request, COUNTERS_NAME, length) == 0;
}

static void tell_stats(struct dialogue *dialogue)
{
    char text[sizeof "OK " + COUNTERS_SIZE] = "OK ";
    size_t length = 3 + counters_write(text + 3, COUNTERS_SIZE);
    dialogue->out = netstring_write(dialogue->output, sizeof dialogue->output, text, length);
}

/* What the map reply does not refuse the milter is asked too: it counts that, and all of it in observe mode. */
static void count_hit(const struct map_answer *found, bool counts,
                      const struct map_question *question)
{
    bool alone = question->sessions == 0;
    if (found->map == MAP_REPLY && (counts ? found->result == MAP_OK : alone))
        hits_queue_add(&found->answer, found->sender == NULL ? "?" : found->sender,
                       found->sender == NULL ? 1 : found->sender_length, question->now);
}

static void look_up(struct dialogue *dialogue, const char *request, size_t length)
{
    const struct map_question question = {.request = request,
                                          .length = length,
                                          .now = time(NULL),
                                          .uptime = counters_uptime(),
                                          .sessions = open_sessions_count()};
    struct map_answer found;
    bool counts = service_map(&found, &question);

    if (found.map == MAP_UNKNOWN)
        log_line(LOG_ERR, "lookup: '%.*s': %s", (int)(length < 200 ? length : 200), request,
                 found.value);
    if (found.asked) {
        counters_count(COUNTERS_MAP + found.map, found.answer.rule);
        report_lookup(&found, counts);
        count_hit(&found, counts, &question);
    }
    answer_with(dialogue, &found);
}

/* ---- the bytes */

/* Passes over a request that is too long to be about an address. Returns the octets that it took. */
static size_t skip(struct dialogue *dialogue)
{
    static const struct map_answer not_found = {.result = MAP_NOTFOUND};
    size_t used = dialogue->skip < dialogue->in ? dialogue->skip : dialogue->in;
    dialogue->skip -= used;
    if (dialogue->skip == 0)
        answer_with(dialogue, &not_found);
    return used;
}

static size_t answer(struct dialogue *dialogue, const struct netstring *request)
{
    if (is_about_stats(request->payload, request->length))
        tell_stats(dialogue);
    else
        look_up(dialogue, request->payload, request->length);
    return request->total;
}

enum dialogue_result dialogue_answer(struct dialogue *dialogue)
{
    struct netstring request;
    size_t used = 0;

    if (dialogue->skip == 0) {
        switch (netstring_parse(&request, dialogue->input, dialogue->in)) {
        case NETSTRING_BAD: return DIALOGUE_BAD;
        case NETSTRING_WHOLE: used = answer(dialogue, &request); break;
        case NETSTRING_PART:
            if (request.total <= sizeof dialogue->input)
                return DIALOGUE_PART;
            dialogue->skip = request.total;
            break;
        }
    }
    if (dialogue->skip > 0)
        used = skip(dialogue);
    dialogue->in -= used;
    memmove(dialogue->input, dialogue->input + used, dialogue->in);
    return dialogue->out > 0 ? DIALOGUE_ANSWERED : DIALOGUE_PART;
}
