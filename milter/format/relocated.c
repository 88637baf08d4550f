/* format/relocated.c: Postfix's table of relocated mailboxes, relocated(5), as postmap(1) reads
 * it: a key, blanks, a text; a line that begins with a blank continues the one before, with
 * comments and empty lines between them or not. Postfix says "5.1.6 User has moved to" and the
 * text; with relocated_prefix_enable = no (Postfix 3.11) all of that stands in the table. */
#include "format/format.h"
#include "format/line_reader.h"
#include "format/plain.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX "User has moved to "

/* ---- a line */

static bool is_blank(int octet)
{
    return octet > 0 && strchr(PLAIN_BLANKS, octet) != NULL;
}

/* The first blank that is not in quotes nor behind a backslash ends the key. Returns what follows;
 * NULL where a quote is not closed. */
static char *end_of_key(char *text)
{
    bool quoted = false;
    for (; *text != '\0' && (quoted || !is_blank((unsigned char)*text)); text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (*text == '"')
            quoted = !quoted;
    }
    return quoted ? NULL : text;
}

/* The length of an enhanced status code (RFC 3463) and the blank after it; 0 where there is
 * none. */
static size_t code_length(const char *text)
{
    size_t length = 0;
    for (int part = 0; part < 3; part++) {
        size_t digits = strspn(text + length, "0123456789");
        if (digits == 0 || digits > 3)
            return 0;
        length += digits + 1;
        if (text[length - 1] != (part < 2 ? '.' : ' '))
            return 0;
    }
    return length;
}

/* Where the address begins in text, which is written without Postfix's prefix: behind that, or
 * in the brackets at its end. NULL where there is neither. */
static char *address_in(char *text)
{
    size_t prefix = strlen(PREFIX);
    char *bracket = strrchr(text, '<');
    if (strncasecmp(text, PREFIX, prefix) == 0)
        return text + prefix;
    return bracket != NULL && text[strlen(text) - 1] == '>' ? bracket : NULL;
}

static int parse_value(struct entry *out, const char *key, char *value,
                       const struct address_rules *rules, struct error *err)
{
    char *address = value;
    size_t code = code_length(value);

    if (code > 0)
        address = strncmp(value, "5.1.6 ", code) == 0 ? address_in(value + code) : NULL;
    if (address == NULL || *address == '@' || strchr(address, '@') == NULL)
        return error_set(err, EX_DATAERR,
                         "new: '%.200s' is told to senders as it is: write user@domain", value);
    return plain_parse(out, key, address, rules, err);
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
    char *value = end_of_key(text);
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

/* Whether this is another spelling of the old address before, with the same new one: Postfix
 * wants U-labels and A-labels each in a line. */
static bool is_repeated(const struct entry *entry, const struct entry *last)
{
    return entry->scope == last->scope && strcmp(entry->local, last->local) == 0 &&
           strcmp(entry->domain, last->domain) == 0 && strcmp(entry->new, last->new) == 0;
}

static int take_line(struct line_reader *reader)
{
    struct entry entry;
    struct error err;
    if (lines_unreadable(reader->lines, &err) ||
        parse_line(&entry, reader->rules, reader->lines->text, &err) != 0)
        return reader->bad(&err, reader->lines->first, reader->data);
    if (is_repeated(&entry, &reader->last))
        return 0;
    reader->last = entry;
    return reader->entry(&entry, reader->lines->first, reader->data);
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

static int read_file(FILE *in, const struct address_rules *rules, format_entry *entry,
                     format_bad *bad, void *data, struct error *err)
{
    struct line_reader reader = {.rules = rules,
                                 .entry = entry,
                                 .bad = bad,
                                 .data = data,
                                 .next = read_logical,
                                 .take = take_line};
    return line_reader_run(&reader, in, err);
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

/* Postfix looks a domain up as the client wrote it. */
static int write_lines(FILE *out, const struct entry *entry)
{
    char unicode[4 * ADDRESS_DOMAIN_MAX + 1], ascii[ADDRESS_DOMAIN_MAX + 1];
    int rc = write_line(out, entry, entry->domain);
    if (rc >= 0 && address_domain_to_unicode(unicode, sizeof unicode, entry->domain) == 0 &&
        strcmp(unicode, entry->domain) != 0 &&
        address_domain_parse(ascii, unicode, strlen(unicode), NULL) == 0 &&
        strcmp(ascii, entry->domain) == 0)
        rc = write_line(out, entry, unicode);
    return rc;
}

/* A comment, or what some programs begin a file with. */
static bool begins_no_key(const char *local)
{
    return local[0] == '#' || strncmp(local, "\xef\xbb\xbf", 3) == 0;
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
    if (entry->scope == ENTRY_MAILBOX && begins_no_key(entry->local))
        return plain_refuse(why, "such a first letter: relocated takes it for no part of a name");
    return plain_written(result, write_lines(out->file, entry), why);
}

const struct format format_relocated = {
    .name = "relocated",
    .summary = "Postfix's relocated(5): user@domain or @domain, and user@domain",
    .read = read_file,
    .write = write_entry,
};
