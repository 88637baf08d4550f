/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/step.h"

#include "table/merge.h"

#include <stdio.h>
#include <string.h>

int step_read_mark(const struct step_work *step, struct mark *out, struct error *err)
{
    enum table_result found = table_get_mark(step->table, out, err);
    if (found == TABLE_ABSENT)
        *out = (struct mark){.version = 0};
    return found == TABLE_FAILED ? -1 : 0;
}

struct table_edit *step_begin(const struct step_work *step, const struct mark *mark,
                              struct error *err)
{
    struct mark now;
    struct table_edit *edit = table_edit_begin(step->table, err);
    if (edit == NULL)
        return NULL;
    int rc = step_read_mark(step, &now, err);
    if (rc == 0 && (now.version != mark->version || strcmp(now.nonce, mark->nonce) != 0))
        rc = error_set(err, EX_TEMPFAIL, "another process has followed the store meanwhile");
    if (rc == 0)
        return edit;
    table_edit_abort(edit);
    return NULL;
}

int step_commit(const struct step_work *step, struct table_edit *edit, int64_t version,
                const char *nonce, const char *author, const char *program, struct error *err)
{
    const struct table_author who = {author, NULL, program};
    struct mark mark = {.version = version};
    snprintf(mark.nonce, sizeof mark.nonce, "%s", nonce);
    snprintf(mark.source, sizeof mark.source, "%s", step->source);
    table_set_author(step->table, &who);
    if (table_edit_mark(edit, &mark, err) != 0) {
        table_edit_abort(edit);
        return -1;
    }
    int rc = table_edit_commit(edit, err);
    if (rc == 0)
        step->state->version = version;
    return rc;
}

/* ---- the guard */

static bool looks_lost(const struct step_work *step, size_t removed, size_t all, bool is_empty)
{
    return merge_removes_too_many(removed, all, step->max_remove) || (is_empty && removed > 0);
}

bool step_is_held(const struct step_work *step, const struct store_head *head, size_t removed,
                  size_t all)
{
    bool is_accepted = head->accepted > 0 && !head->whole_since &&
                       !looks_lost(step, (size_t)head->gone_since, all, head->is_empty);
    return looks_lost(step, removed, all, head->is_empty) && !is_accepted;
}

void step_hold(const struct step_work *step, const struct store_head *head, size_t removed)
{
    struct follow_state *state = step->state;
    if (state->held == 0)
        state->held_first = head->version;
    state->held = removed;
    state->held_version = head->version;
    snprintf(state->held_nonce, sizeof state->held_nonce, "%s", head->nonce);
}

void step_release(const struct step_work *step)
{
    step->state->held = 0;
    step->state->held_first = step->state->held_version = 0;
    step->state->held_nonce[0] = '\0';
}

/* ---- rows */

int step_read_old(const struct step_work *step, struct entry *out, const char *old,
                  struct error *err)
{
    char right[ADDRESS_TEXT_SIZE];
    struct address_rules rules = *step->rules;
    rules.local_domain = NULL;
    if (entry_parse_old(out, old, &rules, err) != 0)
        return -1;
    entry_format_old(right, sizeof right, out);
    return strcmp(right, old) == 0 ? 0 : error_set(err, EX_DATAERR, "old: write '%s'", right);
}

static void skip(const struct step_work *step, struct skipped *skipped, const char *old,
                 const char *reason, bool stays)
{
    struct error why, line;
    error_set(&why, EX_DATAERR, "%s%s", stays ? "its entry stays as it was: " : "", reason);
    bool is_known = skipped_has(&step->state->skipped, old, why.text);
    error_set(&line, 0, "skipped: '%s': %s", old, why.text);
    if (skipped_add(skipped, old, why.text) && !is_known)
        step->say(line.text);
}

enum table_result step_read_row(const struct step_work *step, struct skipped *skipped,
                                const struct entry_text *row, struct entry *out, bool *is_good,
                                struct error *err)
{
    struct error why;
    bool has_old = step_read_old(step, out, row->old, &why) == 0;
    *is_good = has_old && entry_parse(out, row, step->rules, &why) == 0;
    if (*is_good)
        return TABLE_FOUND;
    enum table_result found = has_old ? table_look_up(step->table, out, out, err) : TABLE_ABSENT;
    if (found != TABLE_FAILED)
        skip(step, skipped, row->old, why.text, found == TABLE_FOUND);
    return found;
}
