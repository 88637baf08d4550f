#include "base/conf_check.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32 /* groups and lists within each other: the deepest key has three */

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*"
#define DIGITS  "0123456789"

/* A group, list or array that is open. */
struct scope {
    const char *at;     /* its bracket; NULL: the file */
    char closer;        /* '}', ')', ']' */
    size_t path_length; /* of the key that it is the value of */
    size_t first_name;  /* in names */
};

struct conf_walk {
    const struct conf_text *text;
    const struct conf_key *keys;
    size_t key_count;
    char path[256]; /* of the key that was read last */
    struct scope scopes[DEPTH_MAX];
    size_t depth;       /* scopes[depth] is the innermost */
    const char **names; /* heap: the keys so far of each open group, where they stand in the text */
    size_t name_count;
    struct error *err;
};

static int refuse(struct conf_walk *walk, const char *at)
{
    if (*walk->path != '\0')
        error_at(walk->err, walk->path, 0);
    return conf_text_at(walk->text, at, walk->err);
}

/* ---- keys */

static size_t name_length(const char *at)
{
    return strspn(at, LETTERS) == 0 ? 0 : strspn(at, LETTERS DIGITS "-_");
}

static bool same_name(const char *a, const char *b)
{
    size_t length = name_length(a);
    return length == name_length(b) && memcmp(a, b, length) == 0;
}

static void set_path(struct conf_walk *walk, const char *name, size_t length)
{
    size_t used = walk->scopes[walk->depth].path_length;
    snprintf(walk->path + used, sizeof walk->path - used, "%s%.*s", used == 0 ? "" : ".",
             (int)length, name);
}

static int refuse_again(struct conf_walk *walk, const char *first, const char *again)
{
    const char *file, *here;
    unsigned line, line_here;
    conf_text_locate(walk->text, first, &file, &line);
    conf_text_locate(walk->text, again, &here, &line_here);
    if (strcmp(file, here) == 0)
        error_set(walk->err, EX_CONFIG, "is set in line %u already: write it once", line);
    else
        error_set(walk->err, EX_CONFIG, "is set in %s:%u already: write it once", file, line);
    return refuse(walk, again);
}

static int note_name(struct conf_walk *walk, const char *name, size_t length)
{
    for (size_t i = walk->scopes[walk->depth].first_name; i < walk->name_count; i++)
        if (same_name(walk->names[i], name)) {
            set_path(walk, name, length);
            return refuse_again(walk, walk->names[i], name);
        }
    const char **more = realloc(walk->names, (walk->name_count + 1) * sizeof *more);
    if (more == NULL)
        return error_set(walk->err, EX_OSERR, "out of memory");
    walk->names = more;
    more[walk->name_count++] = name;
    set_path(walk, name, length);
    return 0;
}

/* The next octet that is no blank and in no comment. */
static const char *skip_blanks(const char *at)
{
    for (;;) {
        const char *next = at + strspn(at, " \t\r\n\f");
        if (*next == '#' || *next == '/')
            next = conf_text_skip(next);
        if (next == at)
            return at;
        at = next;
    }
}

/* A word is a key if a value follows; else it is true, false, or a fault that libconfig finds. */
static int read_name(struct conf_walk *walk, const char **at)
{
    size_t length = name_length(*at);
    const char *name = *at, *next = skip_blanks(name + length);
    *at = name + length;
    if (walk->scopes[walk->depth].closer != '}' || (*next != '=' && *next != ':'))
        return 0;
    return note_name(walk, name, length);
}

/* ---- numbers */

static const char *skip_digits(const char *at)
{
    return at + strspn(at, DIGITS);
}

/* The end of the number that begins at at, as libconfig's scanner takes it: the longest that is one.
 * at itself if none begins there. */
static const char *number_end(const char *at, bool *is_integer)
{
    const char *digits = at + (*at == '-' || *at == '+' ? 1 : 0), *end = skip_digits(digits);
    *is_integer = end > digits;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        size_t length = strspn(at + 2, DIGITS "ABCDEFabcdef");
        return length == 0 ? at + 1 : at + 2 + length;
    }
    if (*end == '.') {
        *is_integer = false;
        end = skip_digits(end + 1);
    } else if (!*is_integer) {
        return at;
    }
    if (*end == 'e' || *end == 'E') {
        const char *power = end + (end[1] == '-' || end[1] == '+' ? 2 : 1);
        if (skip_digits(power) > power) {
            *is_integer = false;
            end = skip_digits(power);
        }
    }
    return end;
}

static bool fits(const char *number)
{
    bool is_hex = number[0] == '0' && (number[1] == 'x' || number[1] == 'X');
    long long value = strtoll(number, NULL, is_hex ? 16 : 10);
    return value >= INT_MIN &&
           value <= INT_MAX; /* what fits no long long is LLONG_MAX or LLONG_MIN */
}

int conf_out_of_range(const struct conf_key *key, const char *number, int length, struct error *err)
{
    return error_set(err, EX_CONFIG, "%.*s is out of range: write %d to %d%s%s", length, number,
                     key->min, key->max, key->unit == NULL ? "" : " ",
                     key->unit == NULL ? "" : key->unit);
}

static int refuse_number(struct conf_walk *walk, const char *number, int length)
{
    static const struct conf_key any = {.min = INT_MIN, .max = INT_MAX};
    const struct conf_key *key = &any;
    for (size_t i = 0; i < walk->key_count; i++)
        if (walk->keys[i].type == CONF_INT && strcmp(walk->keys[i].path, walk->path) == 0)
            key = &walk->keys[i];
    conf_out_of_range(key, number, length, walk->err);
    return refuse(walk, number);
}

static int read_number(struct conf_walk *walk, const char **at)
{
    bool is_integer;
    const char *number = *at, *end = number_end(number, &is_integer);
    *at = end == number ? number + 1 : end;
    if (!is_integer || fits(number))
        return 0;
    return refuse_number(walk, number, (int)(end - number));
}

/* ---- brackets */

static int open_scope(struct conf_walk *walk, const char *at)
{
    if (walk->depth + 1 == DEPTH_MAX) {
        error_set(walk->err, EX_CONFIG,
                  "groups and lists within each other are too deep: write %d at most",
                  DEPTH_MAX - 1);
        return refuse(walk, at);
    }
    walk->scopes[++walk->depth] = (struct scope){.at = at,
                                                 .closer = *at == '{'   ? '}'
                                                           : *at == '(' ? ')'
                                                                        : ']',
                                                 .path_length = strlen(walk->path),
                                                 .first_name = walk->name_count};
    return 0;
}

static int close_scope(struct conf_walk *walk, const char *at)
{
    const struct scope *scope = &walk->scopes[walk->depth];
    if (scope->at != NULL && *at == scope->closer) {
        walk->path[scope->path_length] = '\0';
        walk->name_count = scope->first_name;
        walk->depth--;
        return 0;
    }
    walk->path[scope->path_length] = '\0';
    if (scope->at == NULL) {
        error_set(walk->err, EX_CONFIG, "'%c' closes nothing: write none here", *at);
    } else {
        const char *file;
        unsigned line;
        conf_text_locate(walk->text, scope->at, &file, &line);
        error_set(walk->err, EX_CONFIG, "'%c' cannot close the '%c' of line %u: write %c before it",
                  *at, *scope->at, line, scope->closer);
    }
    return refuse(walk, at);
}

static int refuse_open(struct conf_walk *walk)
{
    const struct scope *scope = &walk->scopes[walk->depth];
    walk->path[scope->path_length] = '\0';
    error_set(walk->err, EX_CONFIG, "the '%c' here is never closed: write %c; behind its last line",
              *scope->at, scope->closer);
    return refuse(walk, scope->at);
}

/* ---- */

static int read_token(struct conf_walk *walk, const char **at)
{
    const char *token = *at;
    if (name_length(token) > 0)
        return read_name(walk, at);
    if (strchr(DIGITS "+-.", *token) != NULL)
        return read_number(walk, at);
    *at = *token == '"' ? conf_text_skip(token) : token + 1;
    if (strchr("{([", *token) != NULL)
        return open_scope(walk, token);
    if (strchr("})]", *token) != NULL)
        return close_scope(walk, token);
    return 0;
}

int conf_check(const struct conf_text *text, const struct conf_key *keys, size_t count,
               struct error *err)
{
    struct conf_walk walk = {
        .text = text, .keys = keys, .key_count = count, .scopes = {{.closer = '}'}}, .err = err};
    const char *at = skip_blanks(text->text);
    int rc = 0;
    while (rc == 0 && *at != '\0') {
        rc = read_token(&walk, &at);
        if (rc == 0)
            at = skip_blanks(at);
    }
    if (rc == 0 && walk.depth > 0)
        rc = refuse_open(&walk);
    free(walk.names);
    return rc;
}
