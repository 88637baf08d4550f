/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/plain.h"

#include <stdio.h>
#include <string.h>

enum format_result plain_refuse(struct error *why, const char *what)
{
    error_set(why, EX_DATAERR, "%s", what);
    return FORMAT_REFUSED;
}

static enum format_result refuse(struct error *why, const char *what, const char *format,
                                 const char *limit)
{
    error_set(why, EX_DATAERR, "%s: %s %s", what, format, limit);
    return FORMAT_REFUSED;
}

/* disclose does not matter without a new address. */
static bool is_for_all(const struct entry *entry, const struct format_out *out)
{
    enum entry_disclose told = entry->disclose == ENTRY_DEFAULT ? out->disclose : entry->disclose;
    return told == ENTRY_ANYONE || entry->new[0] == '\0';
}

/* Whether folding, which the mail servers do, would change the name. */
static bool has_capitals(const struct entry *entry)
{
    const struct address_rules folding = {.fold_case = true, .delimiters = ""};
    char old[ADDRESS_TEXT_SIZE];
    struct entry folded;
    entry_format_old(old, sizeof old, entry);
    return entry_parse_old(&folded, old, &folding, NULL) != 0 ||
           strcmp(folded.local, entry->local) != 0;
}

/* Whether the new address is "@domain", which can be written in full. */
static bool is_short(const struct entry *entry)
{
    return entry->scope == ENTRY_MAILBOX && entry->new[0] == '@';
}

/* Names the fields that are lost. */
static enum format_result lose_words(const struct entry *entry, const char *format,
                                     struct error *why)
{
    bool note = entry->note[0] != '\0', disclose = entry->disclose != ENTRY_DEFAULT;
    if (!note && !disclose && !is_short(entry))
        return FORMAT_WHOLE;
    error_set(why, EX_DATAERR, "its%s%s%s: %s has none", note ? " note" : "",
              disclose ? " disclose" : "", is_short(entry) ? " @domain, but a full address" : "",
              format);
    return FORMAT_LESS;
}

enum format_result plain_check(const struct entry *entry, const struct format_out *out,
                               const char *format, struct error *why)
{
    if (entry->action == ENTRY_STAY)
        return refuse(why, "it stays", format, "has only what has moved");
    if (entry->action == ENTRY_FORWARD)
        return refuse(why, "forward", format, "can only refuse");
    if (entry->from != TIMESTAMP_NONE || entry->until != TIMESTAMP_NONE)
        return refuse(why, "from or until", format, "has no dates");
    if (!is_for_all(entry, out))
        return refuse(why, "disclose", format, "tells everyone");
    if (!out->fold_case && has_capitals(entry))
        return refuse(why, "capital letters", format, "finds the name in any case");
    return lose_words(entry, format, why);
}

void plain_new(char *new, const struct entry *entry)
{
    if (!is_short(entry) ||
        address_format(new, ADDRESS_TEXT_SIZE, entry->local, entry->new + 1) != 0)
        memcpy(new, entry->new, strlen(entry->new) + 1);
}

bool plain_is_bare(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '@') == NULL || (length > 1 && text[length - 1] == '"');
}

int plain_parse(struct entry *out, const char *old, const char *new,
                const struct address_rules *rules, struct error *err)
{
    char whole[4096]; /* a truncated address is too long in any case */
    struct entry_text text = {.old = old, .new = new};

    if (*old != '\0' && plain_is_bare(old)) {
        if (rules->local_domain == NULL)
            return error_set(err, EX_DATAERR,
                             "'%s' has no domain: name one with --domain, or as local_domain in "
                             "the configuration",
                             old);
        snprintf(whole, sizeof whole, "%s@%s", old, rules->local_domain);
        text.old = whole;
    }
    return entry_parse(out, &text, rules, err);
}

char *plain_word_end(char *text, const char *ends)
{
    bool quoted = false;
    for (; *text != '\0' && (quoted || strchr(ends, *text) == NULL); text++) {
        if (*text == '\\' && text[1] != '\0')
            text++;
        else if (*text == '"')
            quoted = !quoted;
    }
    return quoted ? NULL : text;
}

/* ---- an address in a text */

/* The address at the beginning of text, in brackets or up to a blank, terminated in place; NULL if there is none. */
static char *cut_address(char *text)
{
    bool bracketed = *text == '<';
    char *end = plain_word_end(text, bracketed ? ">" : PLAIN_BLANKS);
    if (end == NULL || memchr(text, '@', (size_t)(end - text)) == NULL ||
        (bracketed && *end != '>'))
        return NULL;
    while (!bracketed && strchr(".,;", end[-1]) != NULL)
        end--;
    *end = '\0';
    return text + bracketed;
}

static char *find_behind(char *text, const char *words)
{
    char *address = NULL;
    for (char *at = text; address == NULL && (at = strcasestr(at, words)) != NULL;) {
        at += strlen(words);
        address = cut_address(at);
    }
    return address;
}

/* The address in brackets, if it is the only one. */
static char *find_bracketed(char *text)
{
    char *begin = text, *end = text, *at = strchr(text, '@');
    while (at != NULL && end != NULL && end < at && (begin = strchr(end, '<')) != NULL)
        end = plain_word_end(begin, ">");
    if (at == NULL || begin == NULL || end == NULL || strchr(end, '@') != NULL)
        return NULL;
    return cut_address(begin);
}

char *plain_find_new(char *text)
{
    char *address = find_behind(text, "please try ");
    if (address == NULL)
        address = find_behind(text, "moved to ");
    return address == NULL ? find_bracketed(text) : address;
}

char *plain_trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(PLAIN_BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text + strspn(text, PLAIN_BLANKS);
}
