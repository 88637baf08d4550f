/* SPDX-License-Identifier: BSD-2-Clause */
/* format/access.c: Sendmail's access map, as makemap(8) and check_rcpt read it, with
 * FEATURE(`blocklist_recipients'): a key, blanks, a value, in one line.
 *
 * key    To:user@domain; To:user@, with a domain of this host; To:domain, with its subdomains
 * value  ERROR:5.1.6:"551 5.1.6 text <new>"; each part but the text may be missing. Without the
 *        quotes Sendmail loses blanks and the last bracket of what it says. OK: goes on as usual.
 *
 * In a value % is doubled. The quotes hold 254 octets: a longer one makes Sendmail say 553. */
#include "format/format.h"
#include "format/lines.h"
#include "format/plain.h"
#include "table/table.h"

#include <string.h>
#include <strings.h>

#define MOVED      "551 5.1.6 User not local; please try <%s>"
#define GONE       "550 5.1.6 User not local; no forwarding address"
#define QUOTED_MAX 254

enum action { OTHER, BROKEN, LETS_PASS, MOVES };

/* ---- a value */

/* Undoes the meaning of % in a map, in place: "%%" becomes "%", and "%0" nothing. */
static void undouble(char *value)
{
    char *out = value;
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '%' && at[1] >= '0' && at[1] <= '9')
            at++;
        else
            *out++ = *at;
        if (*at == '%' && at[1] == '%')
            at++;
    }
    *out = '\0';
}

/* Removes the quotes, in place. Returns NULL if they are not closed. */
static char *unquote(char *text)
{
    char *out = text;
    const char *at = text + 1;
    if (*text != '"')
        return text;
    for (; *at != '\0' && *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        *out++ = *at;
    }
    bool ends = *at == '"';
    *out = '\0';
    return ends ? text : NULL;
}

/* Skips an enhanced status code that ends with end. *moved becomes true for 5.1.6. */
static char *skip_code(char *text, char end, bool *moved)
{
    static const char ours[] = "5.1.6";
    size_t length = strspn(text, "0123456789.");
    if (length < sizeof ours - 1 || text[length] != end)
        return text;
    *moved = *moved || (length == sizeof ours - 1 && strncmp(text, ours, length) == 0);
    return text + length + 1;
}

/* What a value does with the recipient. *new is the new address of MOVES; "" if there is none; NULL if it cannot be found. */
static enum action read_value(char *value, const char **new)
{
    bool moved = false;
    *new = NULL;
    if (strcasecmp(value, "OK") == 0)
        return LETS_PASS;
    undouble(value);
    if (strncasecmp(value, "ERROR:", 6) == 0)
        value += 6;
    char *text = unquote(skip_code(value, ':', &moved));
    if (text == NULL)
        return BROKEN;

    bool has_551 = strncmp(text, "551 ", 4) == 0;
    if (has_551 || strncmp(text, "550 ", 4) == 0)
        text = skip_code(text + 4, ' ', &moved);
    else
        moved = false;
    if (!moved && !has_551)
        return OTHER;
    bool has_address = strchr(text, '@') != NULL;
    *new = plain_find_new(text);
    if (*new == NULL && !has_551 && !has_address)
        *new = "";
    return MOVES;
}

/* ---- a line */

/* A key without @ is a domain and its subdomains: two entries, of which this is the first. */
static int parse_key(struct entry *out, char *key, const char *new,
                     const struct address_rules *rules, struct error *err)
{
    char old[ADDRESS_DOMAIN_MAX * 4 + 2];
    char *at = strchr(key, '@');

    if (at == key)
        return error_set(err, EX_DATAERR, "Sendmail never looks '%s' up: write To:%s", key,
                         key + 1);
    if (at == NULL)
        snprintf(old, sizeof old, "@%s", key);
    else if (key[strlen(key) - 1] == '@')
        key[strlen(key) - 1] = '\0';
    return plain_parse(out, at == NULL ? old : key, new, rules, err);
}

static int parse_line(struct entry *out, char *text, const struct address_rules *rules,
                      struct error *err)
{
    char *value = text + strcspn(text, PLAIN_BLANKS);
    if (value == text)
        return error_set(err, EX_DATAERR, "begins with a blank: write the key first");
    if (*value != '\0')
        *value++ = '\0';
    value = plain_trim(value);
    if (*value == '\0')
        return error_set(err, EX_DATAERR, "no value: write ERROR:5.1.6:\"551 5.1.6 … <new>\"");

    const char *new;
    enum action action = read_value(value, &new);
    bool has_to = strncasecmp(text, "To:", 3) == 0;
    if (action == BROKEN)
        return error_set(err, EX_DATAERR, "a quote that is never closed");
    if (action == OTHER || (action == LETS_PASS && (!has_to || strchr(text, '@') == NULL)))
        return error_set(err, EX_OK, "not carried over: it is not about a mailbox that has moved");
    if (!has_to)
        return error_set(err, EX_UNAVAILABLE,
                         "not carried over: its key has no To: in front, and is not for recipients "
                         "alone");
    if (action == MOVES && new == NULL)
        return error_set(err, EX_DATAERR,
                         "no new address can be found in the text: write please try <user@domain>");
    int rc = parse_key(out, text + strlen("To:"), new, rules, err);
    if (rc == 0 && action == LETS_PASS)
        out->action = ENTRY_STAY;
    return rc;
}

static int take_line(struct lines *lines)
{
    struct entry entry;
    struct error err;
    char *text = lines->text;

    if (*text == '#' || strspn(text, PLAIN_BLANKS) == lines->length)
        return 0;
    if (lines_unreadable(lines, &err) || parse_line(&entry, text, lines->in->rules, &err) != 0)
        return lines_tell(lines, -1, NULL, &err);
    bool both = entry.scope == ENTRY_DOMAIN;
    int rc = lines_tell(lines, 0, &entry, NULL);
    entry.scope = ENTRY_SUBDOMAINS;
    return rc == 0 && both ? lines_tell(lines, 0, &entry, NULL) : rc;
}

static int read_file(FILE *file, const struct format_in *in, struct error *err)
{
    return lines_read(file, in, lines_next, take_line, err);
}

/* ---- writing */

/* Writes text as it is between the quotes. Returns its length as Sendmail counts it. */
static size_t quote(char *out, const char *text)
{
    size_t length = 0;
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            *out++ = '\\';
            length++;
        } else if (*text == '%')
            *out++ = '%';
        *out++ = *text;
        length++;
    }
    *out = '\0';
    return length;
}

/* Whether the entry for the subdomains of the domain, or for the domain of the subdomains, is the same: a key is for
 * both. */
static bool has_twin(const struct format_out *out, const struct entry *entry)
{
    enum entry_scope other = entry->scope == ENTRY_DOMAIN ? ENTRY_SUBDOMAINS : ENTRY_DOMAIN;
    struct entry twin;
    struct error err;
    return out->view != NULL &&
           table_find(out->view, other, "", entry->domain, &twin, &err) == TABLE_FOUND &&
           plain_check(&twin, out, "access", &err) != FORMAT_REFUSED &&
           strcmp(twin.new, entry->new) == 0;
}

/* The reason why Sendmail would not find the entry or answer otherwise; NULL: none. */
static const char *reason_not_to(const struct format_out *out, const struct entry *entry)
{
    char old[ADDRESS_TEXT_SIZE];
    entry_format_old(old, sizeof old, entry);
    if (address_needs_utf8(old) || address_needs_utf8(entry->new))
        return "letters beyond ASCII: Sendmail has none in a session";
    if (entry->scope == ENTRY_MAILBOX && (old[0] == '"' || strpbrk(entry->local, "%!") != NULL))
        return "quotes, '%' or '!' in the name: Sendmail does not find it in access";
    if (entry->scope == ENTRY_MAILBOX)
        return NULL;
    if (entry->new[0] == '@')
        return "the same names there: access tells all of them one address";
    if (has_twin(out, entry))
        return NULL;
    return entry->scope == ENTRY_DOMAIN
               ? "without its subdomains: access takes both, with the same answer, or none"
               : "without the domain itself: access takes both, with the same answer, or none";
}

static enum format_result write_refusal(const struct format_out *out, const struct entry *entry,
                                        enum format_result result, struct error *why)
{
    char new[ADDRESS_TEXT_SIZE], text[sizeof MOVED + ADDRESS_TEXT_SIZE], quoted[2 * sizeof text];
    char key[ADDRESS_TEXT_SIZE];

    plain_new(new, entry);
    if (*new == '\0')
        memcpy(text, GONE, sizeof GONE);
    else
        snprintf(text, sizeof text, MOVED, new);
    if (quote(quoted, text) > QUOTED_MAX)
        return plain_refuse(why, "a reply of over 254 octets: Sendmail says 553 instead");
    if (entry->scope == ENTRY_SUBDOMAINS)
        return result; /* the entry of the domain has the line */
    entry_format_old(key, sizeof key, entry);
    return lines_written(result,
                         fprintf(out->file, "To:%s\tERROR:5.1.6:\"%s\"\n",
                                 entry->scope == ENTRY_DOMAIN ? key + 1 : key, quoted),
                         why);
}

static enum format_result write_entry(const struct format_out *out, const struct entry *entry,
                                      struct error *why)
{
    struct entry plain = *entry;
    bool stays = entry->action == ENTRY_STAY && entry->scope == ENTRY_MAILBOX;

    if (stays)
        plain.action = ENTRY_REJECT; /* written as OK */
    enum format_result result = plain_check(&plain, out, "access", why);
    if (result == FORMAT_REFUSED)
        return result;
    const char *reason = reason_not_to(out, entry);
    if (reason != NULL)
        return plain_refuse(why, reason);
    return stays ? lines_written(result,
                                 fprintf(out->file, "To:%s@%s\tOK\n", entry->local, entry->domain),
                                 why)
                 : write_refusal(out, entry, result, why);
}

const struct format format_access = {
    .name = "access",
    .summary = "Sendmail's access map: To:user@domain, and\n"
               "ERROR:5.1.6:\"551 5.1.6 User not local; please try\n"
               "<user@domain>\"",
    .read = read_file,
    .write = write_entry,
};
