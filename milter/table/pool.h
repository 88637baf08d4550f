/* table/pool.h: views that are closed and wait to be used again. They keep their reader slot, and hold no page back. */
#ifndef TABLE_POOL_H
#define TABLE_POOL_H

#include "table/table_internal.h"

/* A view that waits, or NULL. It is reset: renew it. */
struct table_view *pool_take(struct table *table);

/* Lets a view wait that has been reset. */
void pool_put(struct table_view *view);

/* Ends all views that wait. */
void pool_free(struct table *table);

/* Ends a view. */
void view_free(struct table_view *view);

#endif
