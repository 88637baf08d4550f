/* SPDX-License-Identifier: BSD-2-Clause */
#include "format/plain.h"

#include <stdio.h>
#include <string.h>

enum format_result plain_refuse(struct error *why, const char *what)
{
    error_set(why, EX_DATAERR, "%s", what);
    return FORMAT_REFUSED;
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

enum format_result plain_check(const struct entry *entry, const struct format_out *out,
                               const char *format, struct error *why)
{
    enum entry_disclose told = entry->disclose == ENTRY_DEFAULT ? out->disclose : entry->disclose;
    bool has_note = entry->note[0] != '\0', has_disclose = entry->disclose != ENTRY_DEFAULT;
    const char *what = NULL, *limit = "";
    char new[ADDRESS_TEXT_SIZE];
    plain_new(new, entry);
    if (entry->action == ENTRY_STAY)
        what = "it stays", limit = "has only what has moved";
    else if (entry->action == ENTRY_FORWARD)
        what = "forward", limit = "can only refuse";
    else if (entry->from != TIMESTAMP_NONE || entry->until != TIMESTAMP_NONE)
        what = "from or until", limit = "has no dates";
    else if (told != ENTRY_ANYONE && entry->new[0] != '\0')
        what = "disclose", limit = "tells everyone";
    else if (strlen(new) > ADDRESS_NEW_MAX)
        what = "a full new address of over 254 octets", limit = "would tell it";
    else if (!out->fold_case && has_capitals(entry))
        what = "capital letters", limit = "finds the name in any case";
    if (what != NULL) {
        error_set(why, EX_DATAERR, "%s: %s %s", what, format, limit);
        return FORMAT_REFUSED;
    }
    if (!has_note && !has_disclose && !is_short(entry))
        return FORMAT_WHOLE;
    error_set(why, EX_DATAERR, "its%s%s%s: %s has none", has_note ? " note" : "",
              has_disclose ? " disclose" : "",
              is_short(entry) ? " @domain, but a full address" : "", format);
    return FORMAT_LESS;
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

/* The address after these words. */
static char *find_behind(char *text, const char *words)
{
    char *address = NULL;
    for (char *at = text; address == NULL && (at = strcasestr(at, words)) != NULL;) {
        at += strlen(words);
        address = cut_address(at);
    }
    return address;
}

char *plain_find_new(char *text)
{
    char *address = find_behind(text, "please try ");
    if (address == NULL)
        address = find_behind(text, "moved to ");
    if (address != NULL)
        return address;
    /* Otherwise the address in brackets, if it is the only address. */
    char *begin = text, *end = text, *at = strchr(text, '@');
    while (at != NULL && end != NULL && end < at && (begin = strchr(end, '<')) != NULL)
        end = plain_word_end(begin, ">");
    return at == NULL || begin == NULL || end == NULL || strchr(end, '@') != NULL
               ? NULL
               : cut_address(begin);
}

char *plain_trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(PLAIN_BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text + strspn(text, PLAIN_BLANKS);
}
