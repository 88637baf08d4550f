#include "table/pool.h"

#include <stdlib.h>

struct table_view *pool_take(struct table *table)
{
    pthread_mutex_lock(&table->lock);
    struct table_view *view = table->idle;
    if (view != NULL)
        table->idle = view->next;
    pthread_mutex_unlock(&table->lock);
    return view;
}

void pool_put(struct table_view *view)
{
    struct table *table = view->table;
    pthread_mutex_lock(&table->lock);
    view->next = table->idle;
    table->idle = view;
    pthread_mutex_unlock(&table->lock);
}

void view_free(struct table_view *view)
{
    if (view->cursor != NULL)
        mdb_cursor_close(view->cursor);
    table_end_read(view->txn);
    free(view);
}

void pool_free(struct table *table)
{
    while (table->idle != NULL) {
        struct table_view *view = table->idle;
        table->idle = view->next;
        view_free(view);
    }
}
