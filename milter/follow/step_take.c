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
    bool held = false;
    /* Versions of another history say nothing about what the table has: only what came after the hold. */
    int64_t since = is_known                ? mark->version
                    : step->state->held > 0 ? step->state->held_first
                                            : INT64_MAX;
    if (step->comparing != NULL)
        step->comparing(step->data);
    switch (step_whole(step, mark, since, accepts, &held, err)) {
    case 0: break;
    case 1: return STEP_BUSY;
    default: return STEP_FAILED;
    }
    if (!held)
        step->state->compared = time(NULL);
    return held ? STEP_HELD : STEP_DONE;
}

enum step_result step_take(struct step_work *step, bool compare, bool accepts, struct error *err)
{
    struct mark mark;
    struct store_head head;
    bool held = false, needs_whole = compare;

    if (step_read_mark(step, &mark, err) != 0 || store_poll(step->store, &mark, &head, err) != 0)
        return STEP_FAILED;
    step->state->version = mark.version;
    step->state->store_version = head.version;
    if (head.knows_mark && head.version == mark.version && !compare) {
        step_release(step);
        return STEP_DONE;
    }
    if (!head.knows_mark && head.is_replica && head.version < mark.version)
        return STEP_BEHIND;
    if (is_held_already(step->state, &head) && !accepts)
        return STEP_HELD;
    if (head.knows_mark && !compare &&
        step_delta(step, &mark, accepts, &needs_whole, &held, err) != 0)
        return STEP_FAILED;
    if (head.knows_mark && !needs_whole)
        return held ? STEP_HELD : STEP_DONE;
    return compare_all(step, &mark, head.knows_mark, accepts, err);
}
