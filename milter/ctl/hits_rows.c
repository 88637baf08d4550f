/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/hits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rows of other hosts */

struct added {
    struct name name;
    struct entry old;
    struct hit_row row;
    bool given; /* with the row of this host */
};

static struct added *find_added(const struct hits *hits, const struct entry *entry)
{
    char old[ADDRESS_TEXT_SIZE];
    if (hits->added.count == 0)
        return NULL;
    entry_format_old(old, sizeof old, entry);
    return names_find(&hits->added, old);
}

struct hit_row *hits_added(const struct hits *hits, const struct entry *old)
{
    struct added *added = find_added(hits, old);
    return added == NULL ? NULL : &added->row;
}

static int add(struct hits *hits, const struct entry *entry, const struct hit_row *row,
               struct error *err)
{
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry);
    hits->added.exact = true;
    struct added *added = names_add(&hits->added, old, sizeof *added);
    if (added == NULL)
        return error_no_memory(err);
    added->old = *entry;
    hit_row_add(&added->row, row);
    return 0;
}

/* ---- reading them */

static int read_number(uint64_t *out, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return -1;
    *out = (uint64_t)json_integer_value(value);
    return 0;
}

/* null: 0. */
static int read_day(uint32_t *out, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    int64_t moment = 0;
    if (!json_is_null(value) &&
        (!json_is_string(value) ||
         timestamp_parse(&moment, json_string_value(value), TIMESTAMP_NONE, NULL) != 0))
        return -1;
    *out = (uint32_t)(moment / HIT_DAY_SECONDS);
    return 0;
}

/* A domain in A-labels, or what stands for none: it is printed as it is. */
static bool is_sender(const char *domain)
{
    char parsed[ADDRESS_DOMAIN_MAX + 1];
    return strcmp(domain, HIT_NULL_PATH) == 0 || strcmp(domain, HIT_NO_DOMAIN) == 0 ||
           (address_domain_parse(parsed, domain, strlen(domain), NULL) == 0 &&
            strcmp(parsed, domain) == 0);
}

static int read_slot(struct hit_slot *out, const json_t *object)
{
    const char *domain = json_string_value(json_object_get(object, "domain"));
    uint64_t days;
    if (domain == NULL || !is_sender(domain) || read_number(&out->mails, object, "mails") != 0 ||
        read_number(&days, object, "days") != 0 || read_day(&out->last, object, "last_day") != 0)
        return -1;
    out->days = (uint32_t)days;
    memcpy(out->domain, domain, strlen(domain) + 1);
    return 0;
}

static int read_row(struct hit_row *out, const json_t *object)
{
    const json_t *senders = json_object_get(object, "senders");
    int rc = json_is_array(senders) ? 0 : -1;
    *out = (struct hit_row){.count = 0};
    if (rc == 0 && (read_number(&out->count, object, "count") != 0 ||
                    read_number(&out->strangers, object, "strangers") != 0 ||
                    read_day(&out->first, object, "first_day") != 0 ||
                    read_day(&out->last, object, "last_day") != 0))
        rc = -1;
    for (size_t i = 0; rc == 0 && i < json_array_size(senders) && i < HIT_SLOTS_MAX; i++)
        rc = read_slot(&out->slot[out->slots++], json_array_get(senders, i));
    return rc;
}

static int take_object(struct hits *hits, const json_t *object, size_t number, struct error *err)
{
    const char *old = json_string_value(json_object_get(object, "old"));
    struct entry entry;
    struct hit_row row;
    if (old == NULL || read_row(&row, object) != 0)
        return error_set(err, EX_DATAERR,
                         "row %zu is not one of movedctl hits --json: write the output of that",
                         number);
    if (ctl_parse_old(hits->ctl, old, &entry, err) != 0)
        return -1;
    return add(hits, &entry, &row, err);
}

/* Where the next object begins; returns whether there is one. */
static bool skip_to_object(FILE *file)
{
    int octet;
    do
        octet = getc(file);
    while (octet == '[' || octet == ',' || (octet != EOF && isspace(octet)));
    if (octet != EOF && octet != ']')
        ungetc(octet, file);
    return octet != EOF && octet != ']';
}

/* One object after another: the whole array need not fit into memory. */
static int read_stream(struct hits *hits, FILE *file, struct error *err)
{
    json_error_t why;
    int rc = 0;
    for (size_t number = 1; rc == 0 && skip_to_object(file); number++) {
        json_t *object = json_loadf(file, JSON_DISABLE_EOF_CHECK, &why);
        rc = object == NULL ? error_set(err, EX_DATAERR,
                                        "row %zu is no JSON: %s: write the output of hits --json",
                                        number, why.text)
                            : take_object(hits, object, number, err);
        json_decref(object);
    }
    if (rc == 0 && ferror(file))
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    return rc;
}

int hits_read(struct hits *hits, const char *name, struct error *err)
{
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(name, "r");
    int rc = file == NULL ? error_set(err, error_status(errno), "%s", strerror(errno))
                          : read_stream(hits, file, err);
    if (file != NULL && !is_stdin)
        fclose(file);
    return rc == 0 ? 0 : error_at(err, is_stdin ? "standard input" : name, 0);
}

/* ---- going through them */

struct going {
    struct hits *hits;
    int (*each)(struct hits *hits, const struct entry *old, const struct hit_row *row,
                struct error *err);
    struct error *err;
};

static bool is_asked_for(const struct hits *hits, const struct entry *old,
                         const struct hit_row *row)
{
    return row->count > 0 && (hits->since == 0 || row->last >= hits->since) &&
           (hits->domain[0] == '\0' || strcmp(old->domain, hits->domain) == 0);
}

static int give(struct going *going, const struct entry *old, const struct hit_row *row)
{
    struct entry entry;
    if (!is_asked_for(going->hits, old, row))
        return 0;
    switch (
        table_find(going->hits->view, old->scope, old->local, old->domain, &entry, going->err)) {
    case TABLE_FOUND: return going->each(going->hits, &entry, row, going->err);
    case TABLE_ABSENT: return 0;
    case TABLE_FAILED: break;
    }
    return -1;
}

static int read_key(struct entry *out, const struct hit_place *place, struct error *err)
{
    static const unsigned char empty[] = {ENTRY_REJECT, ENTRY_DEFAULT, 0, 0, 0};
    return record_decode(out, place->key, place->length, empty, sizeof empty, err);
}

/* The rows of this host, with what others have of the same entry. */
static int go_through_file(struct going *going)
{
    struct hits *hits = going->hits;
    struct hit_walk *walk = malloc(sizeof *walk);
    struct entry old;
    int more = 0, rc = 0;
    if (walk == NULL)
        return error_set(going->err, EX_OSERR, "out of memory");
    char key[RECORD_KEY_MAX] = "";
    size_t length = 0;
    if (hits->domain[0] != '\0') {
        length = record_key(key, ENTRY_DOMAIN, "", hits->domain);
        key[length - 1]--; /* before all "domain@…" */
    }
    hit_walk_begin(walk, hits->file, key, length);
    if (length > 0)
        key[length - 1]++;
    while (rc == 0 && (more = hit_walk_next(walk, going->err)) > 0) {
        if (walk->at.length < length || memcmp(walk->at.key, key, length) != 0)
            break;
        rc = read_key(&old, &walk->at, going->err);
        struct added *added = rc == 0 ? find_added(hits, &old) : NULL;
        if (added != NULL) {
            hit_row_add(&walk->row, &added->row);
            added->given = true;
        }
        if (rc == 0)
            rc = give(going, &old, &walk->row);
    }
    free(walk);
    return more < 0 ? -1 : rc;
}

int hits_each(struct hits *hits,
              int (*each)(struct hits *hits, const struct entry *old, const struct hit_row *row,
                          struct error *err),
              struct error *err)
{
    struct going going = {.hits = hits, .each = each, .err = err};
    int rc = hits->file == NULL ? 0 : go_through_file(&going);
    for (struct name *name = hits->added.first; rc == 0 && name != NULL; name = name->next) {
        const struct added *added = (struct added *)(void *)name;
        if (!added->given)
            rc = give(&going, &added->old, &added->row);
    }
    return rc;
}

int hits_find(struct hits *hits, const struct entry *old, struct hit_row *out, struct error *err)
{
    char key[RECORD_KEY_MAX];
    size_t length = record_key(key, old->scope, old->local, old->domain);
    *out = (struct hit_row){.count = 0};
    if (hits->file != NULL && hit_file_find(hits->file, key, length, out, err) == TABLE_FAILED)
        return -1;
    const struct hit_row *added = hits_added(hits, old);
    if (added != NULL)
        hit_row_add(out, added);
    return 0;
}
