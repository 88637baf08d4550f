/* SPDX-License-Identifier: BSD-2-Clause */
/* follow/step_whole.c: a step that compares all rows with the table, and writes what differs */
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
        step->alive();
}

static int on_row(const struct entry_text *row, bool present, void *data, struct error *err)
{
    struct whole *whole = data;
    struct entry entry;
    bool is_good;
    (void)present;
    if (++whole->rows % ALIVE_EACH == 0)
        alive(whole->step);
    enum table_result found =
        step_read_row(whole->step, &whole->skipped, row, &entry, &is_good, err);
    if (found == TABLE_FOUND)
        return merge_add(whole->merge, &entry, whole->rows, err);
    return found == TABLE_FAILED ? -1 : 0;
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

/* Returns 0, 1 where others are at it, or -1 with err. */
static int run(struct whole *whole, int64_t since, struct error *err)
{
    const struct store_reader reader = {.row = on_row, .data = whole};
    struct follow_state *state = whole->step->state;
    int rc = store_whole(whole->step->store, whole->mark, since, &whole->head, &reader, err);
    if (rc == 0)
        rc = change(whole, err);
    if (rc != 0)
        return rc;
    state->store_version = whole->head.version;
    skipped_clear(&state->skipped);
    state->skipped = whole->skipped;
    whole->skipped = (struct skipped){NULL, 0};
    return 0;
}

enum step_result step_whole(const struct step_work *step, const struct mark *mark, int64_t since,
                            bool accepts, struct error *err)
{
    struct whole whole = {.step = step, .mark = mark, .accepts = accepts};
    const struct merge_watch watch = {.progress = on_progress, .data = &whole};
    whole.merge = merge_new(step->memory, step->folder, true, &watch);
    int rc = whole.merge == NULL ? error_no_memory(err) : run(&whole, since, err);
    merge_free(whole.merge);
    skipped_clear(&whole.skipped);
    return rc < 0 ? STEP_FAILED : rc > 0 ? STEP_BUSY : whole.held ? STEP_HELD : STEP_DONE;
}
