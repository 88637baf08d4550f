/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step_whole.c: a step that compares all rows with the table, and writes what differs */
#include "follow/row.h"
#include "follow/step.h"

#include "table/merge.h"

#define ALIVE_EACH 65536 /* rows */

struct whole {
    const struct step_work *step;
    const struct mark *mark;
    struct store_head head;
    struct merge *merge;
    struct skipped skipped;
    unsigned long rows;
    bool accepts, held;
};

static void alive(const struct step_work *step)
{
    if (step->alive != NULL)
        step->alive(step->data);
}

static int on_head(const struct store_head *head, void *data, struct error *err)
{
    struct whole *whole = data;
    (void)err;
    whole->head = *head;
    whole->step->state->store_version = head->version;
    return 0;
}

/* A row that is no entry leaves the entry of its old address as it is. */
static int on_row(const struct entry_text *row, bool present, void *data, struct error *err)
{
    struct whole *whole = data;
    struct entry entry;
    struct error why;
    bool has_old;
    (void)present;
    if (++whole->rows % ALIVE_EACH == 0)
        alive(whole->step);
    if (row_read(&entry, &has_old, row, whole->step->rules, &why) == 0)
        return merge_add(whole->merge, &entry, whole->rows, err);
    enum table_result found =
        has_old ? table_look_up(whole->step->table, &entry, &entry, err) : TABLE_ABSENT;
    step_skip(whole->step, &whole->skipped, row->old, why.text, found == TABLE_FOUND);
    if (found != TABLE_FOUND)
        return found == TABLE_FAILED ? -1 : 0;
    return merge_add(whole->merge, &entry, whole->rows, err);
}

static void on_progress(size_t done, size_t all, void *data)
{
    const struct whole *whole = data;
    (void)done;
    (void)all;
    alive(whole->step);
}

static int write_edit(struct whole *whole, struct table_edit *edit, struct error *err)
{
    struct merge_counts counts;
    struct table_view *view = table_view_open(whole->step->table, err);
    if (view == NULL)
        return -1;
    int rc = merge_compare(whole->merge, view, &counts, err);
    if (rc == 0) {
        whole->held =
            !whole->accepts && step_is_held(whole->step, &whole->head, counts.removed,
                                            counts.removed + counts.changed + counts.same);
        if (whole->held)
            step_hold(whole->step, &whole->head, counts.removed);
        else
            rc = merge_write(whole->merge, view, edit, err);
    }
    table_view_close(view);
    return rc;
}

static int change(struct whole *whole, struct error *err)
{
    struct table_edit *edit = step_begin(whole->step, whole->mark, err);
    if (edit == NULL)
        return -1;
    int rc = write_edit(whole, edit, err);
    if (rc != 0 || whole->held) {
        table_edit_abort(edit);
        return rc;
    }
    if (step_commit(whole->step, edit, whole->head.version, whole->head.nonce, "store",
                    FOLLOW_COMPARED, err) != 0)
        return -1;
    step_release(whole->step);
    return 0;
}

static int run(struct whole *whole, int64_t since, struct error *err)
{
    const struct store_reader reader = {.head = on_head, .row = on_row, .data = whole};
    int rc = store_whole(whole->step->store, whole->mark, since, &reader, err);
    if (rc == 0)
        rc = change(whole, err);
    if (rc != 0)
        return rc;
    skipped_clear(&whole->step->state->skipped);
    whole->step->state->skipped = whole->skipped;
    whole->skipped = (struct skipped){NULL, 0};
    return 0;
}

int step_whole(const struct step_work *step, const struct mark *mark, int64_t since, bool accepts,
               bool *held, struct error *err)
{
    struct whole whole = {.step = step, .mark = mark, .accepts = accepts};
    const struct merge_watch watch = {.progress = on_progress, .data = &whole};
    whole.merge = merge_new(step->memory, step->folder, true, &watch);
    if (whole.merge == NULL)
        return error_no_memory(err);
    int rc = run(&whole, since, err);
    *held = whole.held;
    merge_free(whole.merge);
    skipped_clear(&whole.skipped);
    return rc;
}
