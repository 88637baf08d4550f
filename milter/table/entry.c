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

/* ---- the old address */

int entry_parse_old(struct entry *out, const char *old, const struct address_rules *rules,
                    struct error *err)
{
    enum entry_scope scope = ENTRY_MAILBOX;
    struct address address;
    int rc;
    if (*or_empty(old) == '\0') {
        rc = error_set(err, EX_DATAERR, "empty: write user@domain or @domain");
    } else if (*old == '@' && strchr(old + 1, '@') == NULL) { /* otherwise a source route */
        scope = old[1] == '.' ? ENTRY_SUBDOMAINS : ENTRY_DOMAIN;
        const char *domain = old + (scope == ENTRY_SUBDOMAINS ? 2 : 1);
        address.local[0] = '\0';
        rc = address_domain_parse(address.domain, domain, strlen(domain), err);
    } else {
        rc = address_parse(&address, old, strlen(old), rules, err);
        if (rc == 0 && address.domain[0] == '\0')
            rc = error_set(err, EX_DATAERR, "no '@' in '%s': write user@domain or @domain", old);
    }
    if (rc != 0)
        return error_at(err, "old", 0);
    out->scope = scope;
    memcpy(out->local, address.local, strlen(address.local) + 1);
    memcpy(out->domain, address.domain, strlen(address.domain) + 1);
    out->new[0] = out->note[0] = '\0'; /* these are long: not cleared beyond their NUL */
    out->action = ENTRY_REJECT;
    out->disclose = ENTRY_DEFAULT;
    out->from = out->until = out->forward_until = TIMESTAMP_NONE;
    return 0;
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

/* ---- the other fields */

static int parse_new(struct entry *out, const char *new, const struct address_rules *rules,
                     struct error *err)
{
    /* The new address belongs to another server, whose own rules say which forms are equal. */
    const struct address_rules strange = {
        .fold_case = rules->fold_case, .delimiters = "", .local_domain = NULL};
    char text[ADDRESS_TEXT_SIZE];
    struct address address;
    bool fits = true;

    if (*new == '\0')
        return 0;
    if (*new == '@') {
        if (address_domain_parse(address.domain, new + 1, strlen(new + 1), err) != 0)
            return -1;
        address.local[0] = '\0';
        snprintf(text, sizeof text, "@%s", address.domain);
    } else {
        if (address_parse(&address, new, strlen(new), &strange, err) != 0)
            return -1;
        if (address.domain[0] == '\0')
            return error_set(err, EX_DATAERR,
                             "no '@' in '%s': write user@domain, @domain or nothing", new);
        fits = address_format(text, sizeof text, address.written, address.domain) == 0;
    }
    if (!fits || strlen(text) > ADDRESS_NEW_MAX)
        return error_set(err, EX_DATAERR,
                         "%zu octets are too long: write at most %d (RFC 5321 4.5.3.1.3)",
                         strlen(new), ADDRESS_NEW_MAX);
    bool same_name = *new == '@' || strcmp(address.local, out->local) == 0;
    if (same_name && out->scope != ENTRY_SUBDOMAINS && strcmp(address.domain, out->domain) == 0)
        return error_set(err, EX_DATAERR, "'%s' is the old address itself: write another one", new);
    memcpy(out->new, text, strlen(text) + 1);
    return 0;
}

static int parse_moments(struct entry *out, const struct entry_text *text, struct error *err)
{
    const struct {
        const char *field, *text;
        int64_t *out;
    } moments[] = {{"from", or_empty(text->from), &out->from},
                   {"until", or_empty(text->until), &out->until},
                   {"forward_until", or_empty(text->forward_until), &out->forward_until}};
    for (int i = 0; i < 3; i++)
        if (*moments[i].text != '\0' &&
            timestamp_parse(moments[i].out, moments[i].text, text->now, err) != 0)
            return error_at(err, moments[i].field, 0);
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
static int check_whole(struct entry *out, bool asks_gone, struct error *err)
{
    bool has_new = out->new[0] != '\0' || out->forward_until != TIMESTAMP_NONE;
    if (out->forward_until != TIMESTAMP_NONE && out->action == ENTRY_REJECT && !asks_gone)
        out->action = ENTRY_FORWARD;
    if (has_new && (out->action == ENTRY_STAY || asks_gone))
        return error_set(err, EX_DATAERR, "action: '%s' with %s: write one or the other",
                         asks_gone ? "gone" : "stay",
                         out->new[0] != '\0' ? "a new address" : "forward_until");
    if (out->action == ENTRY_FORWARD && out->new[0] == '\0')
        return error_set(err, EX_DATAERR, "new: nothing to forward to: write a new address");
    return 0;
}

int entry_parse(struct entry *out, const struct entry_text *text, const struct address_rules *rules,
                struct error *err)
{
    const char *action = or_empty(text->action), *disclose = or_empty(text->disclose);
    bool asks_gone = strcmp(action, "gone") == 0;
    if (entry_parse_old(out, text->old, rules, err) != 0)
        return -1;
    if (parse_new(out, or_empty(text->new), rules, err) != 0)
        return error_at(err, "new", 0);
    int index = *action == '\0' || asks_gone ? ENTRY_REJECT : name_index(action_names, action);
    if (index < 0)
        return error_set(err, EX_DATAERR,
                         "action: no such action '%s': write reject, forward, stay or gone",
                         action);
    out->action = (enum entry_action)index;
    index = name_index(disclose_names, disclose);
    if (index < 0)
        return error_set(err, EX_DATAERR,
                         "disclose: no such value '%s': write anyone, trusted or nobody", disclose);
    out->disclose = (enum entry_disclose)index;
    if (parse_note(out, or_empty(text->note), err) != 0)
        return error_at(err, "note", 0);
    return parse_moments(out, text, err) != 0 ? -1 : check_whole(out, asks_gone, err);
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
