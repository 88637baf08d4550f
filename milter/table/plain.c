#include "table/plain.h"

#include <string.h>

static enum format_result refuse(struct error *why, const char *what, const char *format,
                                 const char *limit)
{
    error_set(why, EX_DATAERR, "%s: %s %s", what, format, limit);
    return FORMAT_REFUSED;
}

/* Who is told is of no account where there is nothing to tell. */
static bool is_for_all(const struct entry *entry, const struct format_out *out)
{
    enum entry_disclose told = entry->disclose == ENTRY_DEFAULT ? out->disclose : entry->disclose;
    return told == ENTRY_ANYONE || entry->new[0] == '\0';
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
    if (entry->note[0] == '\0' && entry->disclose == ENTRY_DEFAULT)
        return FORMAT_WHOLE;
    error_set(why, EX_DATAERR, "its %s: %s has none", *entry->note == '\0' ? "disclose" : "note",
              format);
    return FORMAT_LESS;
}

bool plain_is_bare(const char *text)
{
    size_t length = strlen(text);
    return strchr(text, '@') == NULL || (length > 1 && text[length - 1] == '"');
}

int plain_parse(struct entry *out, const char *old, const char *new,
                const struct address_rules *rules, struct error *err)
{
    char whole[4096]; /* one that is cut is too long anyhow */
    struct entry_text text = {.old = old, .new = new};

    if (plain_is_bare(old)) {
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

char *plain_trim(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && strchr(PLAIN_BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text + strspn(text, PLAIN_BLANKS);
}
