/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow/state.h"

#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME       "follow.json"
#define SIZE_LIMIT ((size_t)16 << 20) /* octets: SKIPPED_MAX rows with each octet escaped */

static const char *const names[] = {
    [FOLLOW_NEVER] = "never",     [FOLLOW_COMPARING] = "comparing", [FOLLOW_IN_STEP] = "in step",
    [FOLLOW_BEHIND] = "behind",   [FOLLOW_DOWN] = "down",           [FOLLOW_HELD] = "held",
    [FOLLOW_REFUSED] = "refused",
};
#define NAMES (sizeof names / sizeof *names)

const char *state_name(enum follow_status status)
{
    return names[status];
}

int state_exit_status(const struct follow_state *state, int64_t now, int max_lag)
{
    bool is_late = now - state->contact > max_lag;
    switch (state->status) {
    case FOLLOW_REFUSED: return EX_CONFIG;
    case FOLLOW_NEVER: return EX_NOINPUT;
    case FOLLOW_HELD: return is_late ? EX_UNAVAILABLE : EX_DATAERR;
    case FOLLOW_COMPARING:
    case FOLLOW_BEHIND:
    case FOLLOW_DOWN: return is_late ? EX_UNAVAILABLE : EX_TEMPFAIL;
    case FOLLOW_IN_STEP: break;
    }
    return is_late ? EX_UNAVAILABLE : state->skipped.count > 0 ? 1 : 0;
}

void state_clear(struct follow_state *state)
{
    skipped_clear(&state->skipped);
    *state = (struct follow_state){.status = FOLLOW_NEVER};
}

/* ---- as JSON */

static json_t *to_json(const struct follow_state *state)
{
    json_t *rows = state->skipped.rows == NULL ? json_object() : json_incref(state->skipped.rows);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o}", "state",
                     names[state->status], "reason", state->reason, "version",
                     (json_int_t)state->version, "store_version", (json_int_t)state->store_version,
                     "contact", (json_int_t)state->contact, "compared", (json_int_t)state->compared,
                     "entries", (json_int_t)state->entries, "held", (json_int_t)state->held,
                     "held_first", (json_int_t)state->held_first, "held_version",
                     (json_int_t)state->held_version, "held_nonce", state->held_nonce,
                     "skipped_count", (json_int_t)state->skipped.count, "skipped", rows);
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void text(char *out, size_t size, const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    snprintf(out, size, "%s", value == NULL ? "" : value);
}

static void from_json(struct follow_state *out, const json_t *object)
{
    char name[16];
    text(name, sizeof name, object, "state");
    for (size_t i = 0; i < NAMES; i++)
        if (strcmp(name, names[i]) == 0)
            out->status = (enum follow_status)i;
    text(out->reason, sizeof out->reason, object, "reason");
    text(out->held_nonce, sizeof out->held_nonce, object, "held_nonce");
    out->version = number(object, "version");
    out->store_version = number(object, "store_version");
    out->contact = number(object, "contact");
    out->compared = number(object, "compared");
    out->entries = (size_t)number(object, "entries");
    out->held = (size_t)number(object, "held");
    out->held_first = number(object, "held_first");
    out->held_version = number(object, "held_version");
    json_t *rows = json_object_get(object, "skipped");
    int64_t count = number(object, "skipped_count"), listed = (int64_t)json_object_size(rows);
    out->skipped = (struct skipped){listed > 0 ? json_incref(rows) : NULL,
                                    (size_t)(count > listed ? count : listed)};
}

/* ---- the file */

/* Root works in the folder as its owner: base/place.h. */
static int enter(struct place *place, const char *path, struct error *err)
{
    if (place_find(place, path, err) != 0)
        return -1;
    int rc = *place->name == '\0' ? place_enter(place, err)
                                  : error_set(err, EX_NOINPUT, "%s: no folder there", path);
    if (rc != 0)
        place_free(place);
    return rc;
}

static void leave(struct place *place)
{
    place_leave(place);
    place_free(place);
}

/* Readers see the old file or the new one. What is lost in a crash is made again. */
static int replace_file(int folder, const char *text_of_file)
{
    char name[64];
    snprintf(name, sizeof name, NAME ".%ld", (long)getpid());
    (void)unlinkat(folder, name, 0);
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    size_t length = strlen(text_of_file);
    errno = ENOSPC; /* where only a part can be written */
    bool good = write(fd, text_of_file, length) == (ssize_t)length;
    good = good && fchmod(fd, 0640) == 0; /* whatever the umask: the group reads the table too */
    good = close(fd) == 0 && good && renameat(folder, name, folder, NAME) == 0;
    int reason = errno;
    if (!good)
        (void)unlinkat(folder, name, 0);
    errno = reason;
    return good ? 0 : -1;
}

int state_write(const struct follow_state *state, const char *path, struct error *err)
{
    struct place place;
    json_t *object = to_json(state);
    char *written = object == NULL ? NULL : json_dumps(object, JSON_INDENT(2));
    json_decref(object);
    if (written == NULL)
        return error_no_memory(err);
    int rc = enter(&place, path, err);
    if (rc == 0) {
        if (replace_file(place.folder, written) != 0)
            rc = error_set(err, EX_CANTCREAT, "%s/" NAME ": %s", path, strerror(errno));
        leave(&place);
    }
    free(written);
    return rc;
}

static json_t *load(const char *path, struct error *err)
{
    struct place place;
    json_error_t why;
    if (enter(&place, path, err) != 0)
        return NULL;
    int fd = openat(place.folder, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        error_set(err, error_status(errno), "%s/" NAME ": %s", path, strerror(errno));
    leave(&place);
    if (fd < 0)
        return NULL;
    char *written = malloc(SIZE_LIMIT); /* others may write the file, and make it longer */
    ssize_t length = written == NULL ? -1 : read(fd, written, SIZE_LIMIT);
    json_t *object = json_loadb(written, length < 0 ? 0 : (size_t)length, 0, &why);
    if (object == NULL)
        error_set(err, EX_DATAERR, "%s/" NAME ":%d: %s: run movedctl follow", path, why.line,
                  why.text);
    free(written);
    close(fd);
    return object;
}

int state_read(struct follow_state *out, const char *path, struct error *err)
{
    *out = (struct follow_state){.status = FOLLOW_NEVER};
    json_t *object = load(path, err);
    if (object == NULL)
        return err->status == EX_NOINPUT ? 1 : -1;
    from_json(out, object);
    json_decref(object);
    return 0;
}

int state_remove(const char *path, struct error *err)
{
    struct place place;
    if (enter(&place, path, err) != 0)
        return -1;
    int rc = unlinkat(place.folder, NAME, 0);
    if (rc != 0 && errno != ENOENT)
        error_set(err, error_status(errno), "%s/" NAME ": %s", path, strerror(errno));
    else
        rc = 0;
    leave(&place);
    return rc;
}
