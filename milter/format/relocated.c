/* SPDX-License-Identifier: BSD-2-Clause */
/* format/relocated.c: Postfix's table of relocated mailboxes, relocated(5), as postmap(1) reads
 * it: a key, blanks, a text; a line that begins with a blank continues the one before, with
 * comments and empty lines between them or not. Postfix says "5.1.6 User has moved to" and the
 * text; with relocated_prefix_enable = no (Postfix 3.11) all of that stands in the table. */
#include "format/format.h"
#include "format/lines.h"
#include "format/plain.h"
#include "mail/reply.h"

#include <string.h>

/* ---- a line */

static bool is_blank(int octet)
{
    return octet > 0 && strchr(PLAIN_BLANKS, octet) != NULL;
}

static int parse_value(struct entry *out, const char *key, char *value,
                       const struct address_rules *rules, struct error *err)
{
    size_t code = reply_enhanced_length(value); /* relocated_prefix_enable = no: the whole reply */
    const char *at = strchr(value, '@'), *end = plain_word_end(value, PLAIN_BLANKS), *new = value;

    if (code > 0 || at == NULL || at == value || end == NULL || end < at) {
        bool may_tell = code == 0 || strncmp(value, "5.1.6 ", code) == 0;
        new = may_tell ? plain_find_new(value + code) : NULL;
        if (new == NULL) /* senders are told the whole text */
            return error_set(err, EX_DATAERR,
                             "new: '%.200s' is told to senders as it is: write %suser@domain",
                             value, code > 0 ? "5.1.6 User has moved to " : "");
    } else if (*end != '\0') {
        return error_set(err, EX_DATAERR,
                         "new: text follows the address, and relocated(5) has senders told all of "
                         "it, 'User has moved to %.200s': write user@domain alone",
                         value);
    }
    return plain_parse(out, key, new, rules, err);
}

/* "/^a@b$/", and not "/S=Lee/@old.example". */
static bool is_pattern(const char *key)
{
    const char *at = strrchr(key, '@'), *slash = strrchr(key, '/');
    if (*key == '!')
        key++;
    return *key == '/' && (at == NULL || at < slash);
}

static int parse_line(struct entry *out, const struct address_rules *rules, char *text,
                      struct error *err)
{
    char *value = plain_word_end(text, PLAIN_BLANKS);
    if (is_blank((unsigned char)*text))
        return error_set(err, EX_DATAERR, "begins with a blank: there is no line to continue");
    if (value == NULL)
        return error_set(err, EX_DATAERR, "a quote that is never closed");
    if (*value != '\0')
        *value++ = '\0';
    value = plain_trim(value);
    if (*value == '\0')
        return error_set(err, EX_DATAERR, "no value: write user@domain after the key");
    if (is_pattern(text))
        return error_set(err, EX_DATAERR, "a regular expression: only indexed tables can be read");
    if (text[0] == '@' && text[1] == '.')
        return error_set(err, EX_DATAERR,
                         "Postfix never looks '%s' up: write each subdomain as @domain", text);
    return parse_value(out, text, value, rules, err);
}

static int take_line(struct lines *lines)
{
    struct entry entry;
    struct error err;
    int rc = lines_unreadable(lines, &err)
                 ? -1
                 : parse_line(&entry, lines->in->rules, lines->text, &err);
    return lines_tell(lines, rc, &entry, &err);
}

/* ---- the file */

/* Whether the octets of text from the one at on are a comment or blanks alone. */
static bool says_nothing(const struct lines *lines, size_t at)
{
    at += strspn(lines->text + at, PLAIN_BLANKS);
    return at == lines->length || lines->text[at] == '#';
}

/* Reads a line and those that continue it, without comments and empty lines. */
static enum lines_result read_logical(struct lines *lines, struct error *err)
{
    enum lines_result result = lines_next(lines, err);
    while (result == LINES_READ && says_nothing(lines, 0))
        result = lines_next(lines, err);
    while (result == LINES_READ) {
        int next = lines_peek(lines);
        size_t length = lines->length;
        if (next != '#' && !is_blank(next))
            return LINES_READ;
        result = lines_join(lines, err);
        if (says_nothing(lines, length))
            lines_cut(lines, length);
    }
    return result;
}

static int read_file(FILE *file, const struct format_in *in, struct error *err)
{
    return lines_read(file, in, read_logical, take_line, err);
}

/* ---- writing */

static int write_line(FILE *out, const struct entry *entry, const char *domain)
{
    char old[ADDRESS_TEXT_SIZE], new[ADDRESS_TEXT_SIZE];
    plain_new(new, entry);
    if (entry->scope == ENTRY_DOMAIN)
        snprintf(old, sizeof old, "@%s", domain);
    else if (address_format(old, sizeof old, entry->local, domain) != 0)
        return -1;
    return fprintf(out, "%s\t%s\n", old, new);
}

/* Writes a line with A-labels, and one with U-labels: Postfix looks a domain up as the client wrote it. */
static int write_lines(FILE *out, const struct entry *entry)
{
    char unicode[4 * ADDRESS_DOMAIN_MAX + 1], ascii[ADDRESS_DOMAIN_MAX + 1];
    int rc = write_line(out, entry, entry->domain);
    bool has_both = address_domain_to_unicode(unicode, sizeof unicode, entry->domain) == 0 &&
                    strcmp(unicode, entry->domain) != 0 &&
                    address_domain_parse(ascii, unicode, strlen(unicode), NULL) == 0 &&
                    strcmp(ascii, entry->domain) == 0;
    return rc >= 0 && has_both ? write_line(out, entry, unicode) : rc;
}

static enum format_result write_entry(const struct format_out *out, const struct entry *entry,
                                      struct error *why)
{
    enum format_result result = plain_check(entry, out, "relocated", why);
    if (result == FORMAT_REFUSED)
        return result;
    if (entry->new[0] == '\0')
        return plain_refuse(why, "no new address: relocated cannot do without");
    if (entry->scope == ENTRY_SUBDOMAINS)
        return plain_refuse(why, "every subdomain: relocated has no such key");
    if (entry->scope == ENTRY_DOMAIN && entry->new[0] == '@')
        return plain_refuse(why, "the same names there: relocated tells all of them one address");
    if (entry->scope == ENTRY_MAILBOX &&
        (entry->local[0] == '#' ||
         strncmp(entry->local, "\xef\xbb\xbf", 3) == 0)) /* a comment, a BOM */
        return plain_refuse(why, "such a first letter: relocated takes it for no part of a name");
    return lines_written(result, write_lines(out->file, entry), why);
}

const struct format format_relocated = {
    .name = "relocated",
    .summary = "Postfix's relocated(5): user@domain or @domain, and\n"
               "user@domain",
    .repeats = true, /* Postfix wants U-labels and A-labels each in a line */
    .read = read_file,
    .write = write_entry,
};
