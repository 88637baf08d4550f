/* SPDX-License-Identifier: BSD-2-Clause */
/* format/aliases.c: Sendmail's aliases whose target ends in .REDIRECT, as newaliases(1) reads them
 * and FEATURE(`redirect') answers them: a name, a colon, an address; a line that begins with a
 * blank continues the one before, and so does one behind a backslash.
 *
 * A name has no domain: it is one of each domain of the host. The first colon ends it, in quotes
 * or not; Sendmail finds none with a quote, a backslash, or an operator of addresses in it. A new
 * address is told without its quotes, and of more than 220 octets the end is cut off. */
#include "format/format.h"
#include "format/lines.h"
#include "format/plain.h"

#include <string.h>
#include <strings.h>

#define SUFFIX  ".REDIRECT"
#define NEW_MAX 220

/* ---- a target */

/* Removes comments in parentheses, in place, and ends each target with a NUL instead of its comma. Returns their
 * number. */
static size_t split(char *text)
{
    bool quoted = false;
    size_t count = 1;
    int depth = 0;
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        const char *first = at;
        if (*at == '\\' && at[1] != '\0')
            at++;
        else if (*at == '"' && depth == 0)
            quoted = !quoted;
        else if (*at == '(' && !quoted)
            depth++;
        bool parts = *first == ',' && !quoted && depth == 0;
        count += parts;
        for (; depth == 0 && first <= at; first++)
            *out++ = parts ? '\0' : *first;
        if (*at == ')' && !quoted && depth > 0 && first == at)
            depth--;
    }
    *out = '\0';
    return count;
}

/* Whether Sendmail treats the target as a file, a program or an include, quoted or not. */
static bool delivers_here(const char *target)
{
    return strchr("/|:", target[*target == '"' ? 1 : 0]) != NULL;
}

/* The new address in a target that ends in the suffix, terminated in place; NULL: it does not, or has no domain. */
static char *find_new(char *target)
{
    size_t suffix = strlen(SUFFIX);
    char *begin = strrchr(target, '<'), *end = strrchr(target, '>');
    if (begin != NULL && end > begin && end[1] == '\0') { /* "Name <address>" */
        *end = '\0';
        target = begin + 1;
    }
    size_t length = strlen(target);
    if (length > 0 && target[length - 1] == '.')
        length--;
    if (length <= suffix || strncasecmp(target + length - suffix, SUFFIX, suffix) != 0)
        return NULL;
    target[length - suffix] = '\0';
    return plain_is_bare(target) || delivers_here(target) ? NULL : target;
}

/* ---- a line */

/* The reason why there is no entry. new: the address of one of several targets, which FEATURE(redirect) calls "notify and
 * forward"; or NULL. */
static int leave_out(struct error *err, size_t targets, const char *new)
{
    if (new == NULL)
        return error_set(err, EX_OK, "not carried over: %s",
                         targets > 1 ? "an alias with several targets"
                                     : "an ordinary alias, not " SUFFIX);
    return error_set(err, EX_UNAVAILABLE,
                     "not carried over: Sendmail's 'notify and forward' tells senders %.200s and "
                     "delivers to the other targets: leave the " SUFFIX " target alone, or write "
                     "movedctl add --forward",
                     new);
}

static int parse_line(struct entry *out, char *text, const struct address_rules *rules,
                      struct error *err)
{
    char *colon = strchr(text, ':');
    if (strchr(PLAIN_BLANKS, *text) != NULL)
        return error_set(err, EX_DATAERR, "begins with a blank: there is no line to continue");
    if (colon == NULL)
        return error_set(err, EX_DATAERR, "no colon: write name: user@domain" SUFFIX);
    *colon = '\0';
    char *name = plain_trim(text), *target = plain_trim(colon + 1);
    if (*name == '\0' || *target == '\0')
        return error_set(err, EX_DATAERR, "no %s: write name: user@domain" SUFFIX,
                         *name == '\0' ? "name" : "target");
    const char *new = NULL;
    size_t targets = split(target);
    for (size_t i = 0; i < targets && new == NULL; i++) {
        char *next = target + strlen(target) + 1;
        new = find_new(plain_trim(target));
        target = next;
    }
    return new == NULL || targets > 1 ? leave_out(err, targets, new)
                                      : plain_parse(out, name, new, rules, err);
}

static int take_line(struct lines *lines)
{
    struct entry entry;
    struct error err;
    int rc;

    if (lines->text[0] == '#' || strspn(lines->text, PLAIN_BLANKS) == lines->length)
        return 0;
    if (lines->too_long)
        rc = leave_out(&err, 2, NULL); /* no address is as long */
    else
        rc = lines_unreadable(lines, &err)
                 ? -1
                 : parse_line(&entry, lines->text, lines->in->rules, &err);
    return lines_tell(lines, rc, &entry, &err);
}

/* ---- the file */

/* Reads a line and those that continue it. */
static enum lines_result read_logical(struct lines *lines, struct error *err)
{
    enum lines_result result = lines_next(lines, err);
    while (result == LINES_READ) {
        bool more = lines->length > 0 && lines->text[lines->length - 1] == '\\';
        int next = lines_peek(lines);
        if (more)
            lines_cut(lines, lines->length - 1);
        else if (lines->length == 0 || lines->text[0] == '#' || (next != ' ' && next != '\t'))
            return LINES_READ;
        if (next == EOF)
            return LINES_READ;
        result = lines_join(lines, err);
    }
    return result;
}

static int read_file(FILE *file, const struct format_in *in, struct error *err)
{
    return lines_read(file, in, read_logical, take_line, err);
}

/* ---- writing */

/* The reason why Sendmail would not find the entry or answer otherwise; NULL: none. new is the full address. */
static const char *reason_not_to(const struct format_out *out, const struct entry *entry,
                                 const char *new)
{
    if (entry->scope != ENTRY_MAILBOX)
        return "every name of a domain: an alias is one name";
    if (out->local_domain == NULL)
        return "its domain: an alias has none; name the one that is meant with --domain";
    if (strcmp(out->local_domain, entry->domain) != 0)
        return "another domain: an alias has none, and --domain or local_domain names another";
    if (*new == '\0')
        return "no new address: " SUFFIX " cannot do without";
    if (address_needs_utf8(entry->local) || address_needs_utf8(new))
        return "letters beyond ASCII: Sendmail has none in a session";
    if (strpbrk(entry->local, "%!@:\"\\") != NULL || strchr("/|", entry->local[0]) != NULL)
        return "such a name: Sendmail does not find it in aliases";
    if (*new == '"' || delivers_here(new) || strchr(new, '[') != NULL)
        return "such a new address: Sendmail does not tell it as it is";
    if (strlen(new) > NEW_MAX)
        return "a new address of over 220 octets: Sendmail cuts its end off";
    return NULL;
}

/* A name is quoted as in an address; a comment would begin with '#'. */
static int write_line(FILE *out, const struct entry *entry, const char *new)
{
    char old[ADDRESS_TEXT_SIZE];
    if (address_format(old, sizeof old, entry->local, entry->domain) != 0)
        return -1;
    old[strlen(old) - strlen(entry->domain) - 1] = '\0';
    const char *quote = old[0] == '#' ? "\"" : "";
    return fprintf(out, "%s%s%s:\t%s" SUFFIX "\n", quote, old, quote, new);
}

static enum format_result write_entry(const struct format_out *out, const struct entry *entry,
                                      struct error *why)
{
    char new[ADDRESS_TEXT_SIZE];
    enum format_result result = plain_check(entry, out, "aliases", why);
    if (result == FORMAT_REFUSED)
        return result;
    plain_new(new, entry);
    const char *reason = reason_not_to(out, entry, new);
    if (reason != NULL)
        return plain_refuse(why, reason);
    return lines_written(result, write_line(out->file, entry, new), why);
}

const struct format format_aliases = {
    .name = "aliases",
    .summary = "Sendmail's aliases: name: user@domain.REDIRECT",
    .read = read_file,
    .write = write_entry,
};
