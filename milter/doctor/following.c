/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor/following.c: the store that the table follows */
#include "doctor/exam.h"

#include "follow/state.h"

#include <time.h>

#define STATUS "$ ${ctl} follow --status"

static const char *mend(enum follow_status status)
{
    return status == FOLLOW_HELD
               ? "Put the rows back in the store; or, if they are meant to be gone:\n"
                 "$ ${ctl} follow --accept"
           : status == FOLLOW_REFUSED
               ? "Correct what it says; movedctl follow tries again by itself."
               : "Check that movedctl follow and the store are running.\n" STATUS "\n${run_follow}";
}

static void note_state(struct exam *exam, const struct follow_state *state)
{
    int status = state_exit_status(state, time(NULL), exam->settings->source.max_lag);
    fact_set(&exam->facts, "follow_state", "%s", state_name(state->status));
    fact_set(&exam->facts, "follow_reason", "%s",
             state->reason[0] != '\0' ? state->reason : "its last word is old");
    fact_set(&exam->facts, "skipped", "%zu", state->skipped.count);
    if (status == 1)
        exam_note(
            exam, "follow-skipped", NOTE,
            "${skipped} rows of the store are not taken, since they are not as they should be.",
            "Correct them in the store; this prints what is wrong with each:\n" STATUS);
    else if (status == EX_TEMPFAIL)
        exam_note(exam, "follow-late", NOTE,
                  "The table is not in step with its store: ${follow_state}.",
                  "It goes on by itself.\n" STATUS);
    else if (status != 0)
        exam_note(exam, "follow", FAULT,
                  "The table is not in step with its store: ${follow_state}: ${follow_reason}.",
                  mend(state->status));
}

void exam_following(struct exam *exam)
{
    struct follow_state state;
    struct error err;
    if (*exam->settings->source.connect == '\0')
        return;
    int rc = state_read(&state, exam->request->table, &err);
    if (rc == 0)
        note_state(exam, &state);
    fact_set(&exam->facts, "error", "%s", rc < 0 ? err.text : "it has not run yet");
    if (rc != 0)
        exam_note(exam, "follow", FAULT, "Nobody keeps the table in step with its store: ${error}.",
                  "${run_follow}");
    state_clear(&state);
}
