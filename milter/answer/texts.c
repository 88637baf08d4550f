/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/texts.h"

#include "mail/address.h"
#include "mail/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "replies.by_domain"

static const struct {
    const char *name, *text;
    enum reply_class class;
} kinds[TEXTS] = {
    [TEXT_MOVED] = {"moved", "551 5.1.6 User not local; please try <${new}>", REPLY_PERMANENT},
    [TEXT_WITHHELD] = {"withheld", "550 5.1.6 User not local; forwarding address withheld",
                       REPLY_PERMANENT},
    [TEXT_GONE] = {"gone", "550 5.1.6 User not local; no forwarding address", REPLY_PERMANENT},
    [TEXT_DEFERRED] = {"deferred", "450 4.7.1 Too many moved recipients; try again later",
                       REPLY_TRANSIENT},
    [TEXT_TABLE_ERROR] = {"table_error", "451 4.3.0 Table of moved mailboxes unavailable",
                          REPLY_TRANSIENT},
    [TEXT_UNKNOWN] = {"unknown",
                      "550 5.1.1 <${recipient}>: Recipient address rejected: User unknown in local "
                      "recipient table",
                      REPLY_PERMANENT},
};

#define LINES(key, kind)                                                                           \
    .path = key, .type = CONF_LINES, .offset = offsetof(struct domain_texts, texts.of[kind])
static const struct conf_key keys[] = {
    {.path = "domain",
     .type = CONF_STRING,
     .offset = offsetof(struct domain_texts, domain),
     .text = ""},
    {LINES("moved", TEXT_MOVED)},
    {LINES("withheld", TEXT_WITHHELD)},
    {LINES("gone", TEXT_GONE)},
    {LINES("deferred", TEXT_DEFERRED)},
    {LINES("table_error", TEXT_TABLE_ERROR)},
    {LINES("unknown", TEXT_UNKNOWN)},
};
const struct conf_group texts_group = {keys, sizeof keys / sizeof *keys,
                                       sizeof(struct domain_texts)};

const char *texts_fallback(enum text_kind kind)
{
    return kind == TEXT_UNKNOWN ? "550 5.1.1 User unknown" : kinds[kind].text;
}

const char *texts_name(enum text_kind kind)
{
    return kinds[kind].name;
}

/* ---- checks */

/* Checks the text of a kind. Where there is none, it becomes a copy of usual. */
static int check_text(struct texts *texts, enum text_kind kind, const char *usual,
                      const char *group, struct error *err)
{
    char path[32];
    if (texts->of[kind] == NULL && (texts->of[kind] = strdup(usual)) == NULL)
        return error_no_memory(err);
    snprintf(path, sizeof path, "%s%s", group, kinds[kind].name);
    if (reply_check(texts->of[kind], kinds[kind].class, kind == TEXT_MOVED, err) != 0)
        return error_at(err, path, 0);
    /* A client that may not know the new address must not read it in the reply. */
    if (kind != TEXT_MOVED && strstr(texts->of[kind], "${new}") != NULL)
        return error_set(err, EX_CONFIG,
                         "%s: ${new} would disclose the new address: write a text without it",
                         path);
    return 0;
}

int texts_make_domain(char **text, bool may_have_dot, struct error *err)
{
    char domain[ADDRESS_DOMAIN_MAX + 1], *made;
    size_t dot = may_have_dot && **text == '.';
    if (address_domain_parse(domain, *text + dot, strlen(*text + dot), err) != 0) {
        if (err != NULL)
            err->status = EX_CONFIG;
        return -1;
    }
    if (asprintf(&made, "%s%s", dot == 1 ? "." : "", domain) < 0)
        return error_no_memory(err);
    free(*text);
    *text = made;
    return 0;
}

static int check_item(struct domain_texts *item, const struct texts *general, struct error *err)
{
    if (item->domain[0] == '\0')
        return error_set(err, EX_CONFIG,
                         "a group without a domain: write domain = \"old.example\";");
    if (texts_make_domain(&item->domain, true, err) != 0)
        return -1;
    for (int i = 0; i < TEXTS; i++)
        if (check_text(&item->texts, (enum text_kind)i, general->of[i], "", err) != 0)
            return error_at(err, item->domain, 0);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct domain_texts *one = a, *other = b;
    return strcmp(one->domain, other->domain);
}

int texts_check(struct texts *texts, struct conf_groups *by_domain, struct error *err)
{
    struct domain_texts *items = by_domain->items;

    for (int i = 0; i < TEXTS; i++)
        if (check_text(texts, (enum text_kind)i, kinds[i].text, "replies.", err) != 0)
            return -1;
    for (size_t i = 0; i < by_domain->count; i++)
        if (check_item(&items[i], texts, err) != 0)
            return error_at(err, PATH, 0);
    if (by_domain->count > 0)
        qsort(items, by_domain->count, sizeof *items, compare);
    for (size_t i = 1; i < by_domain->count; i++)
        if (compare(&items[i - 1], &items[i]) == 0)
            return error_set(err, EX_CONFIG, PATH ": %s: there twice: write one group",
                             items[i].domain);
    return 0;
}

/* ---- finding */

const struct texts *texts_find(const struct texts *texts, const struct conf_groups *by_domain,
                               const char *domain)
{
    struct domain_texts wanted = {.domain = (char *)domain}; /* only read */
    const struct domain_texts *found = NULL;
    while (by_domain->count > 0 && found == NULL && wanted.domain != NULL) {
        found = bsearch(&wanted, by_domain->items, by_domain->count, sizeof wanted, compare);
        wanted.domain = *domain == '[' ? NULL : strchr(wanted.domain + 1, '.');
    }
    return found == NULL ? texts : &found->texts;
}

/* ---- warnings */

static bool lacks_try(const char *text)
{
    const char *try = strstr(text, "please try <${new}>");
    return try == NULL || try > text + strcspn(text, "\n");
}

#define NO_TRY                                                                                     \
    "moved: programs look for 'please try <${new}>' in the first line and will not find the new "  \
    "address"

void texts_warn(const struct texts *texts, const struct conf_groups *by_domain,
                void (*say)(const char *line))
{
    const struct domain_texts *items = by_domain->items;
    const char *general = texts->of[TEXT_MOVED];
    if (lacks_try(general))
        say("replies." NO_TRY);
    for (size_t i = 0; i < by_domain->count; i++) {
        const char *text = items[i].texts.of[TEXT_MOVED];
        char line[512];
        snprintf(line, sizeof line, PATH ": %s: " NO_TRY, items[i].domain);
        if (strcmp(text, general) != 0 && lacks_try(text))
            say(line);
    }
}
