/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/apply.h"

#include "ctl/interrupt.h"
#include "ctl/progress.h"
#include "table/changelog.h"

#include <stdio.h>

#define LONG_STEP 100000 /* entries: to sort or to commit them can take a second or more */

static int on_difference(const struct entry *before, const struct entry *after, void *data,
                         struct error *err)
{
    (void)data;
    progress_clear();
    return print_difference(before, after, err);
}

static void on_progress(size_t done, size_t all, void *data)
{
    const struct apply *apply = data;
    if (done > 0) {
        progress_tell(done, (double)done, (double)all);
        return;
    }
    progress_begin(apply->doing, "entries", 0);
    if (all >= LONG_STEP) /* they are sorted first */
        progress_show();
}

int apply_begin(struct apply *apply, bool replaces_all, struct error *err)
{
    const struct ctl *ctl = apply->ctl;
    apply->watch = (struct merge_watch){.repeated = apply->repeated,
                                        .difference = ctl->options.dry_run ? on_difference : NULL,
                                        .progress = on_progress,
                                        .data = apply};
    apply->merge = merge_new((size_t)ctl->settings->sort_buffer * 1024 * 1024,
                             ctl_temporary_folder(ctl), replaces_all, &apply->watch);
    if (apply->merge == NULL)
        return error_no_memory(err);
    interrupt_says("nothing is changed", NULL);
    return 0;
}

static int compare(struct apply *apply, struct table_view *view, struct error *err)
{
    apply->doing = apply->through.ctl != NULL ? "sending" : "comparing";
    int rc = merge_compare(apply->merge, view, &apply->counts, err);
    progress_clear();
    return rc;
}

/* Prints the differences before the writer's lock is taken, so that no other change waits for a slow terminal. */
static int show(struct apply *apply, struct error *err)
{
    struct table_view *view = table_view_open(apply->ctl->table, err);
    if (view == NULL)
        return -1;
    int rc = compare(apply, view, err);
    table_view_close(view);
    if (rc == 0 && apply->may != NULL)
        rc = apply->may(apply->data, err);
    if (rc == 0 && apply->counts.log_octets > CHANGELOG_CHANGE_MAX)
        ctl_warn("this is too large for the change log and cannot be undone: copy the table first, "
                 "with movedctl backup");
    return rc;
}

/* Compares again, because another process may have changed the table since. */
static int change(struct apply *apply, struct error *err)
{
    const struct merge_counts *counts = &apply->counts;
    struct table_edit *edit = ctl_edit_begin(apply->ctl, err);
    if (edit == NULL)
        return -1;
    struct table_view *view = table_view_open(apply->ctl->table, err);
    int rc = view == NULL ? -1 : compare(apply, view, err);
    if (rc == 0) {
        apply->doing = "writing";
        rc = merge_write(apply->merge, view, edit, err);
        progress_clear();
    }
    table_view_close(view);
    if (rc != 0) {
        table_edit_abort(edit);
        return -1;
    }
    interrupt_ignore();
    merge_free(apply->merge); /* its temporary file need not be written to the disk */
    apply->merge = NULL;
    progress_begin("waiting for the disk", "", 0);
    if (counts->added + counts->changed + counts->removed >= LONG_STEP)
        progress_show();
    rc = table_edit_commit(edit, err);
    progress_clear();
    return rc;
}

/* ---- through the store */

/* Sends every entry of the file, because the store may be ahead of the table. Entries in the table alone go from both. */
static int send_one(const struct entry *before, const struct entry *after, void *data,
                    struct error *err)
{
    struct apply *apply = data;
    return after != NULL ? through_put(&apply->through, after, err)
                         : through_del(&apply->through, before, err);
}

static int change_store(struct apply *apply, struct error *err)
{
    struct through *through = &apply->through;
    int rc = through_begin(through, apply->ctl, true, err);
    apply->watch.difference = send_one;
    apply->watch.tells_same = through->store != NULL;
    if (rc == 0 && (rc = show(apply, err)) == 0) {
        progress_begin("waiting for the store", "", 0);
        progress_show();
        rc = through_apply(through, err);
    }
    if (rc == 0) {
        apply->counts.added = through->written.added;
        apply->counts.changed = through->written.changed;
        apply->counts.removed = through->written.removed;
        apply->counts.same = through->written.same;
        interrupt_ignore();
        rc = through_commit(through, err);
    }
    progress_clear();
    through_end(through);
    return rc;
}

int apply_run(struct apply *apply, struct error *err)
{
    int follows = apply->ctl->options.dry_run ? 0 : through_asked(apply->ctl, err);
    if (follows != 0)
        return follows < 0 ? -1 : change_store(apply, err);
    if (show(apply, err) != 0)
        return -1;
    return apply->ctl->options.dry_run ? 0 : change(apply, err);
}

void apply_print(const struct apply *apply)
{
    const struct merge_counts *counts = &apply->counts;
    printf("%s%zu added, %zu changed, %zu removed, %zu unchanged",
           apply->ctl->options.dry_run ? "dry run: " : "", counts->added, counts->changed,
           counts->removed, counts->same);
}
