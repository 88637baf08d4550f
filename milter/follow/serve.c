/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/serve.h"

#include "follow/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MAX ((size_t)32 << 20) /* octets, for sorting all rows */
#define RETRY_MS   500 /* and at most twice that, so that hosts do not come all at once */

struct following {
    const struct follow *follow;
    bool is_once; /* the caller ends after one step, and prints its error */
    struct step_work step;
    struct follow_state state;
    struct follow_state written;                        /* but for its skipped rows */
    char unwritten[sizeof((struct error *)NULL)->text]; /* why that failed last, said once */
};

/* ---- the state */

static void write_state(struct following *session)
{
    const struct follow_state *now = &session->state, *then = &session->written;
    struct error err = {.text = ""};
    if (session->step.table == NULL && now->contact == 0)
        return; /* the folder may be another program's */
    if (now->status == then->status && now->version == then->version &&
        now->store_version == then->store_version && now->contact == then->contact &&
        now->held == then->held && strcmp(now->reason, then->reason) == 0)
        return;
    if (state_write(now, session->follow->path, &err) != 0 &&
        strcmp(err.text, session->unwritten) != 0)
        session->follow->say(err.text);
    snprintf(session->unwritten, sizeof session->unwritten, "%s", err.text);
    session->written = *now;
}

/* Takes over and writes the state. is_said: if it, or its reason, is new, that is said. */
static void enter(struct following *session, enum follow_status status, const char *reason,
                  bool is_said)
{
    struct follow_state *state = &session->state;
    struct error line;
    bool is_new = state->status != status || strcmp(state->reason, reason) != 0;
    error_set(&line, 0, "%s%s%s", state_name(status), *reason == '\0' ? "" : ": ", reason);
    state->status = status;
    snprintf(state->reason, sizeof state->reason, "%s", reason);
    write_state(session);
    if (is_new && is_said)
        session->follow->say(line.text);
}

static void on_comparing(void *data)
{
    struct following *session = data;
    if (session->state.version != 0)
        enter(session, FOLLOW_COMPARING, "", true);
}

/* ---- the table */

/* Sets the mark, or removes it (NULL), in an edit of its own. */
static int set_mark(struct table *table, const struct mark *mark, struct error *err)
{
    struct table_edit *edit = table_edit_begin(table, err);
    if (edit != NULL && table_edit_mark(edit, mark, err) == 0)
        return table_edit_commit(edit, err);
    table_edit_abort(edit); /* NULL is fine */
    return -1;
}

/* A table without entries that nobody has followed yet would say of every mailbox that it has not moved. */
static int claim(struct table *table, const struct mark *never, struct error *err)
{
    struct mark mark;
    size_t entries;
    enum table_result found = table_get_mark(table, &mark, err);
    if (found != TABLE_ABSENT)
        return found == TABLE_FAILED ? -1 : 0;
    if (table_count(table, &entries, err) != 0)
        return -1;
    return entries > 0 ? 0 : set_mark(table, never, err);
}

/* Opens the table, which is created if it is missing. */
static int open_table(struct step_work *step, const struct follow *follow, struct error *err)
{
    const bool fold_case = follow->settings->fold_case;
    struct mark never = {.version = 0};
    snprintf(never.source, sizeof never.source, "%s", step->source);
    table_free(step->table); /* first: LMDB's locks are the process's, not the handle's */
    step->table = NULL;
    int rc = table_open(&step->table, follow->path, TABLE_FOLLOW, fold_case, err);
    if (rc != 0 && err->status == EX_NOINPUT)
        rc = table_create(follow->path, fold_case, &never, follow->owner, follow->group, err) == 0
                 ? table_open(&step->table, follow->path, TABLE_FOLLOW, fold_case, err)
                 : -1;
    if (rc == 0 && claim(step->table, &never, err) != 0) {
        table_free(step->table);
        step->table = NULL;
        rc = -1;
    }
    return rc;
}

/* ---- a session */

static void begin(struct following *session, const struct follow *follow, bool is_once)
{
    struct error err;
    size_t memory = (size_t)follow->settings->sort_buffer << 20;
    *session = (struct following){
        .follow = follow,
        .is_once = is_once,
        .step = {.source = "pgsql",
                 .rules = &follow->settings->addresses,
                 .max_remove = (unsigned)follow->settings->source.max_remove,
                 .memory = memory < MEMORY_MAX ? memory : MEMORY_MAX,
                 .folder = follow->folder,
                 .state = &session->state,
                 .alive = follow->alive,
                 .say = follow->say,
                 .comparing = on_comparing,
                 .data = session},
    };
    if (state_read(&session->state, follow->path, &err) < 0)
        follow->say(err.text);
    int64_t now = time(NULL);
    /* Otherwise it is a copy of another host's table, or the clock was wrong. */
    if (session->state.compared == 0 || session->state.compared > now)
        session->state.compared = now;
}

static void end(struct following *session)
{
    store_free(session->step.store);
    table_free(session->step.table);
}

/* ---- a step */

static void conclude(struct following *session, enum step_result result)
{
    struct follow_state *state = &session->state;
    char reason[256];
    struct error err;
    state->contact = time(NULL);
    (void)table_count(session->step.table, &state->entries, &err);
    switch (result) {
    case STEP_DONE: enter(session, FOLLOW_IN_STEP, "", true); break;
    case STEP_BEHIND:
        enter(session, FOLLOW_BEHIND, "the store is a replica that is older than this table", true);
        break;
    case STEP_BUSY:
        enter(session, state->version == 0 ? FOLLOW_NEVER : FOLLOW_COMPARING,
              "waiting for other hosts to read all rows", true);
        break;
    case STEP_HELD:
        snprintf(reason, sizeof reason,
                 "%zu of %zu old addresses are %s, or run movedctl follow %s", state->held,
                 state->entries,
                 state->version == 0 ? "of this host and not in the store: load them into it"
                                     : "gone from the store: put them back",
                 state->version == 0 ? "--accept --here to drop them" : "--accept");
        enter(session, FOLLOW_HELD, reason, true);
        break;
    case STEP_FAILED: break;
    }
}

/* Only what somebody has to mend ends the service. */
static bool is_final(const struct error *err)
{
    return err->status == EX_NOPERM || err->status == EX_CONFIG || err->status == EX_CANTCREAT;
}

/* Never synced stays never synced, whatever the reason: nobody may read the table. */
static void conclude_failure(struct following *session, const struct error *err)
{
    struct mark mark = {.version = 1};
    struct error unheard;
    if (session->step.table != NULL)
        (void)step_read_mark(&session->step, &mark, &unheard);
    enter(session,
          err->status == EX_NOPERM || err->status == EX_CONFIG ? FOLLOW_REFUSED
          : mark.version == 0                                  ? FOLLOW_NEVER
                                                               : FOLLOW_DOWN,
          err->text, !session->is_once && !is_final(err));
}

/* Opens the table, and then the store: the state of one that cannot be used is beside the table. The table's files may have
 * been replaced since the last step: by restore, by another disk. */
static int open_both(struct following *session, struct error *err)
{
    const struct follow *follow = session->follow;
    const struct source_settings *source = &follow->settings->source;
    const struct store_address address = {.key = "source.connect",
                                          .connect = source->connect,
                                          .passfile = follow->passfile,
                                          .schema = source->schema,
                                          .timeout = source->timeout,
                                          .listens = !session->is_once,
                                          .alive = follow->alive};
    struct step_work *step = &session->step;
    if ((step->table == NULL || table_check(step->table, err) != 0) &&
        open_table(step, follow, err) != 0)
        return -1;
    return step->store != NULL ? 0 : store_new(&step->store, &address, err);
}

static enum step_result take(struct following *session, bool compare, bool accepts,
                             struct error *err)
{
    enum step_result result = open_both(session, err) == 0
                                  ? step_take(&session->step, compare, accepts, err)
                                  : STEP_FAILED;
    if (result == STEP_FAILED)
        conclude_failure(session, err);
    else
        conclude(session, result);
    return result;
}

/* ---- once, and forever */

int follow_once(const struct follow *follow, bool compare, bool accepts, struct follow_state *out,
                struct error *err)
{
    struct following session;
    enum step_result result;
    begin(&session, follow, true);
    session.state.reason[0] = '\0'; /* whoever runs a command is told each time */
    do {
        result = take(&session, compare, accepts, err);
        if (result == STEP_BUSY)
            store_wait(session.step.store, RETRY_MS);
    } while (result == STEP_BUSY);
    end(&session);
    if (result == STEP_FAILED)
        state_clear(&session.state);
    *out = session.state;
    return result == STEP_FAILED ? -1 : 0;
}

static int jitter(int milliseconds)
{
    return milliseconds + (int)(random() % (milliseconds + 1));
}

int follow_serve(const struct follow *follow, struct error *err)
{
    const struct source_settings *source = &follow->settings->source;
    struct following session;
    bool is_ready = false;
    begin(&session, follow, false);
    srandom((unsigned)getpid() ^ (unsigned)time(NULL));
    for (;;) {
        bool is_due = source->reconcile > 0 && session.state.held == 0 &&
                      session.state.compared + source->reconcile <= time(NULL);
        enum step_result result = take(&session, is_due, false, err);
        if (result == STEP_FAILED && is_final(err))
            break;
        if (result == STEP_DONE && !is_ready)
            follow->ready();
        is_ready |= result == STEP_DONE;
        follow->alive();
        store_wait(session.step.store,
                   result == STEP_DONE || result == STEP_HELD ? source->poll : jitter(RETRY_MS));
    }
    end(&session);
    state_clear(&session.state);
    return -1;
}

/* ---- without a store */

int follow_detach(const struct follow *follow, struct error *err)
{
    struct table *table;
    if (table_open(&table, follow->path, TABLE_FOLLOW, follow->settings->fold_case, err) != 0)
        return -1;
    int rc = set_mark(table, NULL, err);
    table_free(table);
    return rc == 0 ? state_remove(follow->path, err) : -1;
}

int follow_status(const struct follow *follow, struct follow_state *out, struct error *err)
{
    struct table *table;
    struct mark mark = {.version = 0};
    int rc = state_read(out, follow->path, err);
    if (rc < 0)
        return -1;
    if (table_open(&table, follow->path, TABLE_FOLLOW, follow->settings->fold_case, err) != 0)
        return err->status == EX_NOINPUT ? 0 : -1;
    const struct step_work step = {.table = table};
    bool has_read =
        step_read_mark(&step, &mark, err) == 0 && table_count(table, &out->entries, err) == 0;
    table_free(table);
    if (!has_read)
        return -1;
    out->version = mark.version;
    if (rc == 1 && mark.version > 0) {
        out->status = FOLLOW_DOWN; /* it was seeded from another host's copy */
        snprintf(out->reason, sizeof out->reason, "movedctl follow has not run yet");
    } else if (rc == 1 && out->entries > 0) {
        snprintf(out->reason, sizeof out->reason,
                 "movedctl follow has not run yet: the entries that this host has are in force");
    }
    return 0;
}
