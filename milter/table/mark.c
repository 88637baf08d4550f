/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/mark.h"

#include "table/table_internal.h"

static int touch_mark(struct table_view *view, void *out)
{
    return table_read_mark(view->txn, view->table->entries, out);
}

enum table_result table_get_mark(struct table_view *view, struct mark *out, struct error *err)
{
    int rc = view_guarded(view, touch_mark, out);
    if (rc == 0 || rc == MDB_NOTFOUND)
        return rc == 0 ? TABLE_FOUND : TABLE_ABSENT;
    table_lmdb_error(err, view->table, rc);
    return TABLE_FAILED;
}

int table_edit_mark(struct table_edit *edit, const struct mark *mark, struct error *err)
{
    int rc = table_put_mark(edit->txn, edit->table, mark);
    edit->format = mark == NULL ? TABLE_FORMAT : TABLE_FORMAT_FOLLOWS;
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}
