/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step_delta.c: a step that changes what the store says has changed. Changes made on this host are an edit of their own
 * each, for movedctl undo; those of others go together. */
#include "base/printable.h"
#include "follow/step.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OWN_MAX                                                                                    \
    100 /* versions of this host in a step that get an edit of their own: each waits for the disk */
#define WHO_SIZE 512

struct delta {
    const struct step_work *step;
    struct mark mark; /* of the table, so far */
    struct store_head head;
    bool accepts, decided, held;
    size_t removed, all, own;

    /* What will be committed next. */
    struct table_edit *edit;
    int64_t version;
    char nonce[MARK_NONCE_MAX + 1];
    char author[WHO_SIZE], program[WHO_SIZE];
    bool is_own;
};

/* Counts the entries that will go, before one is touched. */
static int on_gone(const char *old, void *data, struct error *err)
{
    struct delta *delta = data;
    struct entry entry;
    struct error not_ours;
    if (step_read_old(delta->step, &entry, old, &not_ours) != 0)
        return 0;
    enum table_result found = table_look_up(delta->step->table, &entry, &entry, err);
    delta->removed += found == TABLE_FOUND;
    return found == TABLE_FAILED ? -1 : 0;
}

static int decide(struct delta *delta, struct error *err)
{
    if (delta->decided)
        return 0;
    delta->decided = true;
    if (table_count(delta->step->table, &delta->all, err) != 0)
        return -1;
    delta->held =
        !delta->accepts && step_is_held(delta->step, &delta->head, delta->removed, delta->all);
    return 0;
}

/* ---- versions */

static bool is_of_this_host(const char *author, const char *program)
{
    char host[256] = "";
    const char *at = strrchr(author, '@');
    return strncmp(program, "movedctl ", 9) == 0 && at != NULL &&
           gethostname(host, sizeof host - 1) == 0 && strcmp(at + 1, host) == 0;
}

static int commit(struct delta *delta, struct error *err)
{
    struct table_edit *edit = delta->edit;
    delta->edit = NULL;
    if (edit == NULL)
        return 0;
    if (step_commit(delta->step, edit, delta->version, delta->nonce, delta->author, delta->program,
                    err) != 0)
        return -1;
    delta->mark.version = delta->version;
    snprintf(delta->mark.nonce, sizeof delta->mark.nonce, "%s", delta->nonce);
    return 0;
}

/* Of several authors the log has no room to name each. */
static void sign(char *who, const char *name, bool is_first)
{
    if (is_first)
        snprintf(who, WHO_SIZE, "%s", name);
    else if (strcmp(who, name) != 0)
        snprintf(who, WHO_SIZE, "several");
    printable_make(who);
}

static int on_version(int64_t version, const char *nonce, const char *author, const char *program,
                      void *data, struct error *err)
{
    struct delta *delta = data;
    if (decide(delta, err) != 0)
        return -1;
    if (delta->held)
        return 0;
    bool is_own = delta->own < OWN_MAX && is_of_this_host(author, program);
    if ((is_own || delta->is_own) && commit(delta, err) != 0)
        return -1;
    bool is_first = delta->edit == NULL;
    if (is_first && (delta->edit = step_begin(delta->step, &delta->mark, err)) == NULL)
        return -1;
    delta->is_own = is_own;
    delta->own += is_own;
    delta->version = version;
    snprintf(delta->nonce, sizeof delta->nonce, "%s", nonce);
    sign(delta->author, author, is_first);
    sign(delta->program, program, is_first);
    return 0;
}

static int on_row(const struct entry_text *row, bool present, void *data, struct error *err)
{
    struct delta *delta = data;
    struct skipped *skipped = &delta->step->state->skipped;
    struct entry entry;
    struct error not_ours;
    bool is_good;
    if (delta->held)
        return 0;
    if (!present) {
        skipped_remove(skipped, row->old);
        return step_read_old(delta->step, &entry, row->old, &not_ours) == 0 &&
                       table_edit_del(delta->edit, &entry, err) == TABLE_FAILED
                   ? -1
                   : 0;
    }
    enum table_result found = step_read_row(delta->step, skipped, row, &entry, &is_good, err);
    if (!is_good)
        return found == TABLE_FAILED ? -1 : 0;
    skipped_remove(skipped, row->old);
    return table_edit_put(delta->edit, &entry, true, err) == TABLE_FAILED ? -1 : 0;
}

enum step_result step_delta(const struct step_work *step, const struct mark *mark, bool accepts,
                            bool *is_known, bool *needs_whole, struct error *err)
{
    struct delta delta = {.step = step, .mark = *mark, .accepts = accepts};
    const struct store_reader reader = {
        .gone = on_gone, .version = on_version, .row = on_row, .data = &delta};
    int rc = store_delta(step->store, mark, &delta.head, &reader, err);
    *is_known = delta.head.knows_mark;
    *needs_whole = !delta.head.knows_mark || delta.head.whole;
    if (rc == 0 && !*needs_whole && !delta.held)
        rc = commit(&delta, err);
    table_edit_abort(delta.edit); /* NULL is fine */
    if (rc != 0)
        return STEP_FAILED;
    step->state->store_version = delta.head.version;
    if (delta.held)
        step_hold(step, &delta.head, delta.removed);
    else if (!*needs_whole)
        step_release(step);
    return delta.held ? STEP_HELD : STEP_DONE;
}
