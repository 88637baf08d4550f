/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/mark.h"

#include "table/table_internal.h"

enum table_result table_get_mark(struct table_view *view, struct mark *out, struct error *err)
{
    int rc;
    GUARDED(rc, table_read_mark(view->txn, view->table->entries, out));
    return table_result_of(view->table, rc, err);
}

int table_edit_mark(struct table_edit *edit, const struct mark *mark, struct error *err)
{
    int rc = table_put_mark(edit->txn, edit->table, mark);
    edit->format = mark == NULL ? TABLE_FORMAT : TABLE_FORMAT_FOLLOWS;
    return rc == 0 ? 0 : table_lmdb_error(err, edit->table, rc);
}
