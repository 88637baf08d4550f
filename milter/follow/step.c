/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/step.h"

#include "base/printable.h"
#include "follow/origin.h"
#include "table/merge.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* So many versions of this host get an edit of their own in one step: each waits for the disk. */
#define OWN_MAX    100
#define WHO_SIZE   512
#define ALIVE_EACH 65536 /* rows */

struct step {
    const struct step_work *work;
    bool accepts;     /* however much would go */
    struct mark mark; /* of the table, so far */
    struct store_head head;

    /* What will be committed next */
    struct table_edit *edit;
    struct mark next; /* the mark of the table then */
    char author[WHO_SIZE], program[WHO_SIZE];

    bool is_judged, is_held;
    size_t removed; /* entries that will go */

    /* Of a delta */
    bool is_own; /* the edit is of a version that was made on this host */
    size_t own;  /* of these so far */

    /* Of a comparison of all rows */
    struct merge *merge;
    struct skipped skipped;
    unsigned long rows;
};

/* ---- the table */

int step_read_mark(const struct step_work *work, struct mark *out, struct error *err)
{
    enum table_result found = table_get_mark(work->table, out, err);
    if (found == TABLE_ABSENT)
        *out = (struct mark){.version = 0};
    return found == TABLE_FAILED ? -1 : 0;
}

static bool is_same(const struct mark *mark, int64_t version, const char *nonce)
{
    return mark->version == version && strcmp(mark->nonce, nonce) == 0;
}

static int begin(struct step *step, struct error *err)
{
    struct mark now;
    step->edit = table_edit_begin(step->work->table, err);
    if (step->edit == NULL || step_read_mark(step->work, &now, err) != 0)
        return -1;
    return is_same(&now, step->mark.version, step->mark.nonce)
               ? 0
               : error_set(err, EX_TEMPFAIL, "another process has followed the store meanwhile");
}

/* Sets the mark that the table will have. */
static void set_next(struct step *step, int64_t version, const char *nonce)
{
    step->next.version = version;
    snprintf(step->next.nonce, sizeof step->next.nonce, "%s", nonce);
    snprintf(step->next.source, sizeof step->next.source, "%s", step->work->source);
}

/* Does nothing where no edit was begun. */
static int commit(struct step *step, struct error *err)
{
    const struct table_author who = {step->author, NULL, step->program};
    struct table_edit *edit = step->edit;
    if (edit == NULL)
        return 0;
    table_set_author(step->work->table, &who);
    if (table_edit_mark(edit, &step->next, err) != 0)
        return -1;
    step->edit = NULL;
    if (table_edit_commit(edit, err) != 0)
        return -1;
    step->mark = step->next;
    step->work->state->version = step->mark.version;
    return 0;
}

/* ---- the guard */

static bool looks_lost(const struct step *step, size_t removed, size_t all)
{
    return merge_removes_too_many(removed, all, step->work->max_remove) ||
           (step->head.is_empty && removed > 0);
}

/* Decides whether removed of all entries are too many to be believed, and nobody has accepted it. */
static void judge(struct step *step, size_t removed, size_t all)
{
    const struct store_head *head = &step->head;
    bool is_accepted = step->accepts || (head->accepted > 0 && !head->whole_since &&
                                         !looks_lost(step, (size_t)head->gone_since, all));
    step->is_judged = true;
    step->removed = removed;
    step->is_held = !is_accepted && looks_lost(step, removed, all);
}

/* Notes what is held, or that nothing is. */
static enum step_result settle(const struct step *step)
{
    struct follow_state *state = step->work->state;
    int64_t first = state->held == 0 ? step->head.version : state->held_first;
    state->held = step->is_held ? step->removed : 0;
    state->held_first = step->is_held ? first : 0;
    state->held_version = step->is_held ? step->head.version : 0;
    snprintf(state->held_nonce, sizeof state->held_nonce, "%s",
             step->is_held ? step->head.nonce : "");
    return step->is_held ? STEP_HELD : STEP_DONE;
}

/* ---- rows */

/* Reads an old address, which has to be exactly as movedctl writes it: otherwise two rows could be for one mailbox.
 * Returns 0 with scope, local and domain of *out; or -1 with err, which names the right form. */
static int read_old(const struct step *step, struct entry *out, const char *old, struct error *err)
{
    char right[ADDRESS_TEXT_SIZE];
    struct address_rules rules = *step->work->rules;
    rules.local_domain = NULL;
    if (entry_parse_old(out, old, &rules, err) != 0)
        return -1;
    entry_format_old(right, sizeof right, out);
    return strcmp(right, old) == 0 ? 0 : error_set(err, EX_DATAERR, "old: write '%s'", right);
}

/* Reads a row. One that is no entry is noted in *skipped, and said once; the entry that its old address has from when the
 * row was good stays. Returns TABLE_FOUND with the entry in *out, TABLE_ABSENT if there is none, or TABLE_FAILED with
 * err. *is_good: the entry is that of the row. */
static enum table_result read_row(const struct step *step, struct skipped *skipped,
                                  const struct entry_text *row, struct entry *out, bool *is_good,
                                  struct error *err)
{
    const struct step_work *work = step->work;
    struct error reason, why, line;
    bool has_old = read_old(step, out, row->old, &reason) == 0;
    *is_good = has_old && entry_parse(out, row, work->rules, &reason) == 0;
    if (*is_good)
        return TABLE_FOUND;
    enum table_result found = has_old ? table_look_up(work->table, out, out, err) : TABLE_ABSENT;
    error_set(&why, EX_DATAERR, "%s%s", found == TABLE_FOUND ? "its entry stays as it was: " : "",
              reason.text);
    bool is_known = skipped_has(&work->state->skipped, row->old, why.text);
    error_set(&line, EX_DATAERR, "skipped: '%s': %s", row->old, why.text);
    if (found != TABLE_FAILED && skipped_add(skipped, row->old, why.text) && !is_known)
        work->say(line.text);
    return found;
}

/* ---- what has changed. Changes made on this host are an edit of their own each, for movedctl undo; those of others go
 * together. */

/* Counts the entries that will go, before one is touched. */
static int on_gone(const char *old, void *data, struct error *err)
{
    struct step *step = data;
    struct entry entry;
    struct error not_ours;
    if (read_old(step, &entry, old, &not_ours) != 0)
        return 0;
    enum table_result found = table_look_up(step->work->table, &entry, &entry, err);
    step->removed += found == TABLE_FOUND;
    return found == TABLE_FAILED ? -1 : 0;
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
    struct step *step = data;
    size_t all;
    if (!step->is_judged) {
        if (table_count(step->work->table, &all, err) != 0)
            return -1;
        judge(step, step->removed, all);
    }
    if (step->is_held)
        return 0;
    bool is_own = step->own < OWN_MAX && origin_is_here(author, program);
    if ((is_own || step->is_own) && commit(step, err) != 0)
        return -1;
    bool is_first = step->edit == NULL;
    if (is_first && begin(step, err) != 0)
        return -1;
    step->is_own = is_own;
    step->own += is_own;
    set_next(step, version, nonce);
    sign(step->author, author, is_first);
    sign(step->program, program, is_first);
    return 0;
}

static int on_changed_row(const struct entry_text *row, bool present, void *data, struct error *err)
{
    struct step *step = data;
    struct skipped *skipped = &step->work->state->skipped;
    struct entry entry;
    struct error not_ours;
    bool is_good;
    if (step->is_held)
        return 0;
    if (!present) {
        skipped_remove(skipped, row->old);
        return read_old(step, &entry, row->old, &not_ours) == 0 &&
                       table_edit_del(step->edit, &entry, err) == TABLE_FAILED
                   ? -1
                   : 0;
    }
    enum table_result found = read_row(step, skipped, row, &entry, &is_good, err);
    if (!is_good)
        return found == TABLE_FAILED ? -1 : 0;
    skipped_remove(skipped, row->old);
    return table_edit_put(step->edit, &entry, true, err) == TABLE_FAILED ? -1 : 0;
}

/* Takes over what has changed; nothing, if all rows have to be read. */
static int take_changes(struct step *step, struct error *err)
{
    const struct store_reader reader = {
        .gone = on_gone, .version = on_version, .row = on_changed_row, .data = step};
    const struct mark mark = step->mark;
    int rc = store_delta(step->work->store, &mark, &step->head, &reader, err);
    if (rc == 0) /* if it is held, no edit was begun */
        rc = commit(step, err);
    if (rc == 0)
        step->work->state->store_version = step->head.version;
    return rc;
}

/* ---- all rows */

static void alive(const struct step *step)
{
    if (step->work->alive != NULL)
        step->work->alive();
}

static int on_any_row(const struct entry_text *row, bool present, void *data, struct error *err)
{
    struct step *step = data;
    struct entry entry;
    bool is_good;
    (void)present;
    if (++step->rows % ALIVE_EACH == 0)
        alive(step);
    enum table_result found = read_row(step, &step->skipped, row, &entry, &is_good, err);
    if (found == TABLE_FOUND)
        return merge_add(step->merge, &entry, step->rows, err);
    return found == TABLE_FAILED ? -1 : 0;
}

static void on_progress(size_t done, size_t all, void *data)
{
    (void)done;
    (void)all;
    alive(data);
}

/* Writes what differs from the table, unless it is held. */
static int write_rows(struct step *step, struct error *err)
{
    struct merge_counts counts;
    if (begin(step, err) != 0)
        return -1;
    struct table_view *view = table_view_open(step->work->table, err);
    if (view == NULL)
        return -1;
    int rc = merge_compare(step->merge, view, &counts, err);
    if (rc == 0)
        judge(step, counts.removed, counts.removed + counts.changed + counts.same);
    if (rc == 0 && !step->is_held)
        rc = merge_write(step->merge, view, step->edit, err);
    table_view_close(view);
    /* If no version tells of what is held, forgetting the nonce keeps it held: all rows are compared again. */
    bool is_untold = step->head.knows_mark && !step->head.whole;
    if (rc != 0 || (step->is_held && !is_untold))
        return rc;
    if (step->is_held)
        set_next(step, step->mark.version, "");
    else
        set_next(step, step->head.version, step->head.nonce);
    snprintf(step->author, sizeof step->author, "store");
    snprintf(step->program, sizeof step->program, ORIGIN_COMPARED);
    return commit(step, err);
}

/* is_known: the store knows the mark of the table. */
static enum step_result compare_all(struct step *step, bool is_known, struct error *err)
{
    const struct step_work *work = step->work;
    const struct merge_watch watch = {.progress = on_progress, .data = step};
    const struct store_reader reader = {.row = on_any_row, .data = step};
    struct follow_state *state = work->state;
    /* Versions of another history say nothing about what the table has: only what came after the hold. */
    int64_t since = is_known ? step->mark.version : state->held > 0 ? state->held_first : INT64_MAX;
    work->comparing(work->data);
    step->merge = merge_new(work->memory, work->folder, true, &watch);
    int rc = step->merge == NULL
                 ? error_no_memory(err)
                 : store_whole(work->store, &step->mark, since, &step->head, &reader, err);
    if (rc == 0)
        rc = write_rows(step, err);
    if (rc == 0) {
        struct skipped before = state->skipped;
        state->skipped = step->skipped;
        step->skipped = before;
        state->store_version = step->head.version;
        state->compared = step->is_held ? state->compared : time(NULL);
    }
    merge_free(step->merge);
    skipped_clear(&step->skipped);
    return rc < 0 ? STEP_FAILED : rc > 0 ? STEP_BUSY : settle(step);
}

/* ---- the step */

static enum step_result take(struct step *step, bool compare, struct error *err)
{
    struct follow_state *state = step->work->state;
    struct store_head head;
    if (step_read_mark(step->work, &step->mark, err) != 0 ||
        store_poll(step->work->store, &head, err) != 0)
        return STEP_FAILED;
    state->version = step->mark.version;
    state->store_version = head.version;
    bool is_newest = is_same(&step->mark, head.version, head.nonce);
    enum step_result result = STEP_DONE;
    if (!is_newest) {
        if (head.is_replica && head.version < step->mark.version)
            return STEP_BEHIND;
        if (state->held > 0 && state->held_version == head.version &&
            strcmp(state->held_nonce, head.nonce) == 0 && !step->accepts && !compare)
            return STEP_HELD;
        if (take_changes(step, err) != 0)
            return STEP_FAILED;
        if (!step->head.knows_mark || step->head.whole)
            return compare_all(step, step->head.knows_mark, err);
    }
    if (!is_newest || !compare)
        result = settle(step);
    return result == STEP_DONE && compare ? compare_all(step, true, err) : result;
}

enum step_result step_take(const struct step_work *work, bool compare, bool accepts,
                           struct error *err)
{
    struct step step = {.work = work, .accepts = accepts};
    enum step_result result = take(&step, compare, err);
    table_edit_abort(step.edit); /* NULL is fine */
    return result;
}
