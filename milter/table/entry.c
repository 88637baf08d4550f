/* SPDX-License-Identifier: BSD-2-Clause */
#include "table/entry.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

static const char *const action_names[] = {"reject", "forward", "stay", NULL};
static const char *const disclose_names[] = {"", "anyone", "trusted", "nobody", NULL};

const char *entry_noun(size_t count)
{
    return count == 1 ? "entry" : "entries";
}

const char *entry_action_name(enum entry_action action)
{
    return action_names[action];
}

const char *entry_disclose_name(enum entry_disclose disclose)
{
    return disclose_names[disclose];
}

static int name_index(const char *const *names, const char *name)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* Sets an empty entry of this scope. The strings are not cleared beyond their NUL, because they are long. */
static void clear(struct entry *out, enum entry_scope scope)
{
    out->scope = scope;
    out->local[0] = out->domain[0] = out->new[0] = out->note[0] = '\0';
    out->action = ENTRY_REJECT;
    out->disclose = ENTRY_DEFAULT;
    out->from = out->until = out->forward_until = TIMESTAMP_NONE;
}

/* ---- the old address */

static int parse_wildcard(struct entry *out, const char *old, struct error *err)
{
    const char *domain = old + 1;
    enum entry_scope scope = ENTRY_DOMAIN;
    char parsed[ADDRESS_DOMAIN_MAX + 1];

    if (*domain == '.') {
        scope = ENTRY_SUBDOMAINS;
        domain++;
    }
    if (address_domain_parse(parsed, domain, strlen(domain), err) != 0)
        return -1;
    clear(out, scope);
    memcpy(out->domain, parsed, strlen(parsed) + 1);
    return 0;
}

static int parse_mailbox(struct entry *out, const char *old, const struct address_rules *rules,
                         struct error *err)
{
    struct address address;
    if (address_parse(&address, old, strlen(old), rules, err) != 0)
        return -1;
    if (address.domain[0] == '\0')
        return error_set(err, EX_DATAERR, "no '@' in '%s': write user@domain or @domain", old);
    clear(out, ENTRY_MAILBOX);
    memcpy(out->local, address.local, strlen(address.local) + 1);
    memcpy(out->domain, address.domain, strlen(address.domain) + 1);
    return 0;
}

int entry_parse_old(struct entry *out, const char *old, const struct address_rules *rules,
                    struct error *err)
{
    int rc;
    if (*or_empty(old) == '\0')
        rc = error_set(err, EX_DATAERR, "empty: write user@domain or @domain");
    else if (*old == '@' && strchr(old + 1, '@') == NULL) /* else a source route */
        rc = parse_wildcard(out, old, err);
    else
        rc = parse_mailbox(out, old, rules, err);
    return rc == 0 ? 0 : error_at(err, "old", 0);
}

void entry_format_old(char *out, size_t size, const struct entry *entry)
{
    out[0] = '\0';
    switch (entry->scope) {
    case ENTRY_MAILBOX: (void)address_format(out, size, entry->local, entry->domain); break;
    case ENTRY_DOMAIN: snprintf(out, size, "@%s", entry->domain); break;
    case ENTRY_SUBDOMAINS: snprintf(out, size, "@.%s", entry->domain); break;
    }
}

/* ---- the new address */

static int too_long(struct error *err, const char *new)
{
    return error_set(err, EX_DATAERR,
                     "%zu octets are too long: write at most %d (RFC 5321 4.5.3.1.3)", strlen(new),
                     ADDRESS_NEW_MAX);
}

static int same_as_old(struct error *err, const char *new)
{
    return error_set(err, EX_DATAERR, "'%s' is the old address itself: write another one", new);
}

static int parse_new_domain(struct entry *out, const char *new, struct error *err)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (address_domain_parse(domain, new + 1, strlen(new + 1), err) != 0)
        return -1;
    if (1 + strlen(domain) > ADDRESS_NEW_MAX)
        return too_long(err, new);
    if (out->scope == ENTRY_DOMAIN && strcmp(domain, out->domain) == 0)
        return same_as_old(err, new);
    out->new[0] = '@';
    memcpy(out->new + 1, domain, strlen(domain) + 1);
    return 0;
}

static int parse_new(struct entry *out, const char *new, const struct address_rules *rules,
                     struct error *err)
{
    /* The new address is another server's: only its own rules say which spellings are one. */
    const struct address_rules strange = {
        .fold_case = rules->fold_case, .delimiters = "", .local_domain = NULL};
    char text[ADDRESS_TEXT_SIZE];
    struct address address;

    if (*new == '\0')
        return 0;
    if (*new == '@')
        return parse_new_domain(out, new, err);
    if (address_parse(&address, new, strlen(new), &strange, err) != 0)
        return -1;
    if (address.domain[0] == '\0')
        return error_set(err, EX_DATAERR, "no '@' in '%s': write user@domain, @domain or nothing",
                         new);
    if (address_format(text, sizeof text, address.written, address.domain) != 0 ||
        strlen(text) > ADDRESS_NEW_MAX)
        return too_long(err, new);
    memcpy(out->new, text, strlen(text) + 1);
    if (strcmp(address.local, out->local) == 0 && strcmp(address.domain, out->domain) == 0)
        return same_as_old(err, new);
    return 0;
}

/* ---- the rest */

static int parse_action(struct entry *out, const char *action, struct error *err)
{
    int index = *action == '\0' || strcmp(action, "gone") == 0 ? ENTRY_REJECT
                                                               : name_index(action_names, action);
    if (index < 0)
        return error_set(err, EX_DATAERR,
                         "no such action '%s': write reject, forward, stay or gone", action);
    out->action = (enum entry_action)index;
    return 0;
}

static int parse_disclose(struct entry *out, const char *disclose, struct error *err)
{
    int index = name_index(disclose_names, disclose);
    if (index < 0)
        return error_set(err, EX_DATAERR, "no such value '%s': write anyone, trusted or nobody",
                         disclose);
    out->disclose = (enum entry_disclose)index;
    return 0;
}

static int parse_moment(int64_t *out, const char *text, int64_t now, const char *field,
                        struct error *err)
{
    *out = TIMESTAMP_NONE;
    if (*text != '\0' && timestamp_parse(out, text, now, err) != 0)
        return error_at(err, field, 0);
    return 0;
}

static int parse_moments(struct entry *out, const struct entry_text *text, struct error *err)
{
    if (parse_moment(&out->from, or_empty(text->from), text->now, "from", err) != 0 ||
        parse_moment(&out->until, or_empty(text->until), text->now, "until", err) != 0 ||
        parse_moment(&out->forward_until, or_empty(text->forward_until), text->now, "forward_until",
                     err) != 0)
        return -1;
    if (out->until != TIMESTAMP_NONE && out->until <= out->from)
        return error_set(err, EX_DATAERR,
                         "until: '%s' is not after from '%s': write a later moment", text->until,
                         or_empty(text->from));
    return 0;
}

static int parse_note(struct entry *out, const char *note, struct error *err)
{
    size_t length = strlen(note);
    if (length > ENTRY_NOTE_MAX)
        return error_set(err, EX_DATAERR, "%zu octets are too long: write at most %d", length,
                         ENTRY_NOTE_MAX);
    if (u8_check((const uint8_t *)note, length) != NULL)
        return error_set(err, EX_DATAERR, "not UTF-8: write the note in UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)note[i] < 0x20 || note[i] == 0x7f)
            return error_set(err, EX_DATAERR, "control character 0x%02x: write one line of text",
                             (unsigned)(unsigned char)note[i]);
    memcpy(out->note, note, length + 1);
    return 0;
}

/* Contradictory fields are refused, because the intention is unknown. */
static int check_whole(struct entry *out, const struct entry_text *text, struct error *err)
{
    bool gone_asked = strcmp(or_empty(text->action), "gone") == 0;
    if (out->forward_until != TIMESTAMP_NONE && out->action == ENTRY_REJECT && !gone_asked)
        out->action = ENTRY_FORWARD;
    if (out->action == ENTRY_STAY && (out->new[0] != '\0' || out->forward_until != TIMESTAMP_NONE))
        return error_set(err, EX_DATAERR,
                         "action: 'stay' with a new address: write one or the other");
    if (gone_asked && (out->new[0] != '\0' || out->forward_until != TIMESTAMP_NONE))
        return error_set(err, EX_DATAERR,
                         "action: 'gone' with a new address: write one or the other");
    if (out->action == ENTRY_FORWARD && out->new[0] == '\0')
        return error_set(err, EX_DATAERR, "new: nothing to forward to: write a new address");
    return 0;
}

int entry_parse(struct entry *out, const struct entry_text *text, const struct address_rules *rules,
                struct error *err)
{
    if (entry_parse_old(out, text->old, rules, err) != 0)
        return -1;
    if (parse_new(out, or_empty(text->new), rules, err) != 0)
        return error_at(err, "new", 0);
    if (parse_action(out, or_empty(text->action), err) != 0)
        return error_at(err, "action", 0);
    if (parse_disclose(out, or_empty(text->disclose), err) != 0)
        return error_at(err, "disclose", 0);
    if (parse_note(out, or_empty(text->note), err) != 0)
        return error_at(err, "note", 0);
    return parse_moments(out, text, err) != 0 ? -1 : check_whole(out, text, err);
}

int entry_in_force(const struct entry *entry, int64_t now)
{
    return (entry->from == TIMESTAMP_NONE || entry->from <= now) &&
           (entry->until == TIMESTAMP_NONE || now < entry->until);
}

static bool is_within(int64_t moment, int64_t now, int64_t seconds)
{
    return moment != TIMESTAMP_NONE && moment > now && moment - now <= seconds;
}

bool entry_ends_within(const struct entry *entry, int64_t now, int64_t seconds)
{
    return is_within(entry->until, now, seconds) || is_within(entry->forward_until, now, seconds);
}
