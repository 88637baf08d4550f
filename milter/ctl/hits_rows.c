/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/hits.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the rows of other hosts */

struct added {
    struct name name; /* the old address */
    /* the row as hit_row_encode wrote it: decoded it is fifty times as large */
    unsigned char *value;
    size_t length;
    bool given; /* with the row of this host */
};

static void clear_added(void *added)
{
    free(((struct added *)added)->value);
}

void hits_free_added(struct hits *hits)
{
    names_free(&hits->added, clear_added);
}

static void decode(struct hit_row *out, const struct added *added)
{
    if (added->value == NULL || hit_row_decode(out, added->value, added->length) != 0)
        *out = (struct hit_row){.count = 0};
}

void hits_add_others(const struct hits *hits, const struct entry *entry, struct hit_row *row)
{
    char old[ADDRESS_TEXT_SIZE];
    struct hit_row other;
    entry_format_old(old, sizeof old, entry);
    struct added *added = hits->added.count == 0 ? NULL : names_find(&hits->added, old);
    if (added == NULL)
        return;
    decode(&other, added);
    hit_row_add(row, &other);
    added->given = true;
}

static int add(struct hits *hits, const struct entry *entry, const struct hit_row *row,
               struct error *err)
{
    char old[ADDRESS_TEXT_SIZE];
    unsigned char value[HIT_ROW_MAX];
    struct hit_row sum;
    entry_format_old(old, sizeof old, entry);
    hits->added.exact = true;
    struct added *added = names_add(&hits->added, old, sizeof *added);
    if (added == NULL)
        return error_no_memory(err);
    decode(&sum, added);
    hit_row_add(&sum, row);
    added->length = hit_row_encode(value, &sum);
    unsigned char *more = realloc(added->value, added->length);
    if (more == NULL)
        return error_no_memory(err);
    added->value = memcpy(more, value, added->length);
    return 0;
}

/* ---- reading them */

/* Parses a day; null is 0. Returns whether it is one of these. */
static bool read_day(uint32_t *out, const json_t *value)
{
    int64_t moment = 0;
    if (!json_is_null(value) &&
        (!json_is_string(value) ||
         timestamp_parse(&moment, json_string_value(value), TIMESTAMP_NONE, NULL) != 0))
        return false;
    *out = (uint32_t)(moment / HIT_DAY_SECONDS);
    return true;
}

/* Whether it is a domain in A-labels, HIT_NULL_PATH or HIT_NO_DOMAIN: it will be printed unchanged. */
static bool is_sender(const char *domain)
{
    char parsed[ADDRESS_DOMAIN_MAX + 1];
    return strcmp(domain, HIT_NULL_PATH) == 0 || strcmp(domain, HIT_NO_DOMAIN) == 0 ||
           (address_domain_parse(parsed, domain, strlen(domain), NULL) == 0 &&
            strcmp(parsed, domain) == 0);
}

static int read_slot(struct hit_slot *out, json_t *object)
{
    const char *domain;
    json_t *last;
    json_int_t mails, days;
    if (json_unpack(object, "{s:s, s:I, s:I, s:o}", "domain", &domain, "mails", &mails, "days",
                    &days, "last_day", &last) != 0 ||
        mails < 0 || days < 0 || days > UINT32_MAX || !is_sender(domain) ||
        !read_day(&out->last, last))
        return -1;
    out->mails = (uint64_t)mails;
    out->days = (uint32_t)days;
    memcpy(out->domain, domain, strlen(domain) + 1);
    return 0;
}

static int read_row(struct hit_row *out, json_t *object)
{
    json_t *first, *last, *senders;
    json_int_t count, strangers;
    *out = (struct hit_row){.count = 0};
    if (json_unpack(object, "{s:I, s:I, s:o, s:o, s:o}", "count", &count, "strangers", &strangers,
                    "first_day", &first, "last_day", &last, "senders", &senders) != 0 ||
        count < 0 || strangers < 0 || !json_is_array(senders) || !read_day(&out->first, first) ||
        !read_day(&out->last, last))
        return -1;
    out->count = (uint64_t)count;
    out->strangers = (uint64_t)strangers;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(senders) && i < HIT_SLOTS_MAX; i++)
        rc = read_slot(&out->slot[out->slots++], json_array_get(senders, i));
    return rc;
}

static int take_object(struct hits *hits, json_t *object, size_t number, struct error *err)
{
    const char *old = json_string_value(json_object_get(object, "old"));
    struct entry entry;
    struct hit_row row;
    if (old == NULL || read_row(&row, object) != 0)
        return error_set(err, EX_DATAERR,
                         "row %zu is not one of movedctl hits --json: write the output of that",
                         number);
    return ctl_parse_old(hits->ctl, old, &entry, err) != 0 ? -1 : add(hits, &entry, &row, err);
}

static int skip_blanks(FILE *file)
{
    int octet;
    do
        octet = getc(file);
    while (octet != EOF && isspace(octet));
    return octet;
}

/* Returns 1 where object number begins; 0 where the one array ends, and the file with it; otherwise -1, because a truncated
 * file must not look like that of a host to which nobody wrote. */
static int skip_to_object(FILE *file, size_t number)
{
    int octet = skip_blanks(file);
    bool is_first = number == 1, goes_on = octet == (is_first ? '[' : ',');
    if (goes_on)
        octet = skip_blanks(file);
    if (goes_on && octet == '{')
        return ungetc(octet, file) == EOF ? -1 : 1;
    return goes_on == is_first && octet == ']' && skip_blanks(file) == EOF ? 0 : -1;
}

/* Reads one object after another, because the array may be larger than memory. */
static int read_stream(struct hits *hits, FILE *file, struct error *err)
{
    json_error_t why;
    int rc = 0, more = 0;
    for (size_t number = 1; rc == 0 && (more = skip_to_object(file, number)) > 0; number++) {
        json_t *object = json_loadf(file, JSON_DISABLE_EOF_CHECK, &why);
        rc = object == NULL ? error_set(err, EX_DATAERR,
                                        "row %zu is no JSON: %s: write the output of hits --json",
                                        number, why.text)
                            : take_object(hits, object, number, err);
        json_decref(object);
    }
    if (ferror(file))
        rc = error_set(err, EX_IOERR, "%s", strerror(errno));
    else if (rc == 0 && more < 0)
        rc = error_set(err, EX_DATAERR,
                       "not the whole output of hits --json of one host: write that, nothing else");
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

bool hits_wants(const struct hits *hits, const struct entry *old, const struct hit_row *row)
{
    return row->last >= hits->since &&
           (*hits->domain == '\0' || strcmp(old->domain, hits->domain) == 0);
}

/* Calls each if the row is asked for and has an entry. */
static int give(struct hits *hits, const struct entry *old, struct hit_row *row, hits_use *each,
                struct error *err)
{
    struct entry entry;
    if (row->count == 0 || !hits_wants(hits, old, row))
        return 0;
    switch (table_find(hits->view, old->scope, old->local, old->domain, &entry, err)) {
    case TABLE_FOUND: return each(hits, &entry, row, err);
    case TABLE_ABSENT: return 0;
    case TABLE_FAILED: break;
    }
    return -1;
}

int hits_read_key(struct entry *out, const struct hit_place *at, struct error *err)
{
    static const unsigned char empty[] = {ENTRY_REJECT, ENTRY_DEFAULT, 0, 0, 0};
    return record_decode(out, at->key, at->length, empty, sizeof empty, err);
}

/* The rows of this host, with those of other hosts for the same entries. */
static int go_through_file(struct hits *hits, hits_use *each, struct error *err)
{
    struct hit_walk *walk = &hits->walk;
    char key[RECORD_KEY_MAX];
    size_t length = *hits->domain == '\0' ? 0 : record_key(key, ENTRY_DOMAIN, "", hits->domain);
    struct entry old;
    int more, rc = 0;
    hit_walk_begin(walk, hits->file, key, length);
    while (rc == 0 && (more = hit_walk_next(walk, err)) != 0) {
        if (more < 0)
            return -1;
        if (walk->at.length < length || memcmp(walk->at.key, key, length) != 0)
            break;
        rc = hits_read_key(&old, &walk->at, err);
        if (rc == 0) {
            hits_add_others(hits, &old, &walk->row);
            rc = give(hits, &old, &walk->row, each, err);
        }
    }
    return rc;
}

int hits_each(struct hits *hits, hits_use *each, struct error *err)
{
    struct entry old;
    struct hit_row row;
    int rc = hits->file == NULL ? 0 : go_through_file(hits, each, err);
    for (struct name *name = hits->added.first; rc == 0 && name != NULL; name = name->next) {
        const struct added *added = (struct added *)(void *)name;
        if (added->given)
            continue;
        decode(&row, added);
        rc = ctl_parse_old(hits->ctl, name->text, &old, err);
        if (rc == 0)
            rc = give(hits, &old, &row, each, err);
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
    hits_add_others(hits, old, out);
    return 0;
}
