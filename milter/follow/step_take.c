/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step_take.c: a step: which way it takes */
#include "follow/step.h"

#include <string.h>
#include <time.h>

static bool is_held_already(const struct follow_state *state, const struct store_head *head)
{
    return state->held > 0 && state->held_version == head->version &&
           strcmp(state->held_nonce, head->nonce) == 0;
}

static enum step_result compare_all(const struct step_work *step, const struct mark *mark,
                                    bool is_known, bool accepts, struct error *err)
{
    /* Versions of another history say nothing about what the table has: only what came after the hold. */
    int64_t since = is_known                ? mark->version
                    : step->state->held > 0 ? step->state->held_first
                                            : INT64_MAX;
    step->comparing(step->data);
    enum step_result result = step_whole(step, mark, since, accepts, err);
    if (result == STEP_DONE)
        step->state->compared = time(NULL);
    return result;
}

static bool is_newest(const struct mark *mark, const struct store_head *head)
{
    return head->version == mark->version && strcmp(head->nonce, mark->nonce) == 0;
}

/* Takes over what has changed, or all rows if that cannot be told. */
static enum step_result catch_up(const struct step_work *step, const struct mark *mark,
                                 bool accepts, struct error *err)
{
    bool needs_whole, is_known;
    enum step_result result = step_delta(step, mark, accepts, &is_known, &needs_whole, err);
    return result == STEP_DONE && needs_whole ? compare_all(step, mark, is_known, accepts, err)
                                              : result;
}

enum step_result step_take(struct step_work *step, bool compare, bool accepts, struct error *err)
{
    struct mark mark;
    struct store_head head;

    if (step_read_mark(step, &mark, err) != 0 || store_poll(step->store, &head, err) != 0)
        return STEP_FAILED;
    step->state->version = mark.version;
    step->state->store_version = head.version;
    if (is_newest(&mark, &head)) {
        if (compare)
            return compare_all(step, &mark, true, accepts, err);
        step_release(step);
        return STEP_DONE;
    }
    if (head.is_replica && head.version < mark.version)
        return STEP_BEHIND;
    if (is_held_already(step->state, &head) && !accepts)
        return STEP_HELD;
    enum step_result result = catch_up(step, &mark, accepts, err);
    if (result != STEP_DONE || !compare || step_read_mark(step, &mark, err) != 0)
        return result;
    return compare_all(step, &mark, true, accepts, err);
}
