/* SPDX-License-Identifier: BSD-2-Clause */
/* daemon/service.h: what the daemon answers from: the settings and the table in force, and their
 * change while sessions go on. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "answer/answer.h"
#include "answer/map.h"
#include "answer/settings.h"
#include "base/error.h"
#include "table/hit_file.h"
#include "table/table.h"

#include <limits.h>
#include <stdbool.h>

/* Opens the table as the daemon does, to answer from it. Returns 0 with *out, which the caller gives to table_free; or
 * -1 with *out NULL and err, which says what would be right where the user may not read it. */
int service_open_table(struct table **out, const struct settings *settings, struct error *err);

/* Takes the settings over and opens the table. A table that cannot be opened is no error: it is logged and tried again every
 * second, and meanwhile on_table_error decides the answers. Returns 0; or -1 with err if the table contradicts the settings
 * (EX_CONFIG) or a thread cannot be started. Call it when privileges are dropped and nothing forks any more. */
int service_start(struct settings *settings, struct error *err);

/* Answers a question from what is in force now. Returns whether the answer counts: not in observe mode. */
bool service_ask(struct answer *out, const struct question *question);

/* Whether the mode in force now is observe. */
bool service_observes(void);

/* Looks a request up (map_ask) in what is in force now. Returns whether it counts. */
bool service_map(struct map_answer *out, const struct map_question *question);

/* The settings of the hits that are in force. */
struct service_hits {
    bool enabled;
    int interval_s;
    struct hit_rules rules;
    char table[PATH_MAX]; /* its path */
    bool table_is_open;
};
void service_describe_hits(struct service_hits *out);

/* A hit_lend of the table that is open. A reload waits meanwhile, and others wait for that: use must be quick. */
int service_lend_table(void *unused, int (*use)(struct table *table, void *data), void *data);

/* How the service is at this moment. */
struct service_state {
    bool observes;
    size_t entries;           /* of the table; 0 where it cannot be read */
    struct error table_error; /* text "": the table can be read */
};
void service_describe(struct service_state *out);

/* Reads the configuration again and puts it in force. Logs what only a start can change (socket, user). Returns 0; or -1 with
 * err, and the old configuration stays in force. */
int service_reload(struct error *err);

#endif
