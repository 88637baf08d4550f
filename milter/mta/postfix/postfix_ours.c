/* SPDX-License-Identifier: BSD-2-Clause */
#include "mta/postfix/postfix_ours.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT                                                                                    \
    "# milter-moved: empty here, and set in master.cf for the services that movedctl attached"

#define OLD_MARKER "milter-moved begin"
#define LINE_LONG  72 /* longer ones are not written out twice in a diff */

static const char *const names[] = {OURS_MILTER, OURS_LISTED, OURS_UNSERVED};

/* Restrictions that refuse to relay, or that accept before the refusal behind them is reached. */
static const char *const refusals[] = {"reject_unauth_destination", "defer_unauth_destination",
                                       "permit_auth_destination"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- finding */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether the word begins at this place of the part. */
static bool is_word_at(const struct cf *cf, struct span part, size_t at, const char *word,
                       struct span *out)
{
    *out = (struct span){at, at + strlen(word)};
    return out->end <= part.end && memcmp(cf->bare + at, word, out->end - at) == 0 &&
           !is_word(cf->bare[out->end]) && (at == 0 || !is_word(cf->bare[at - 1]));
}

static bool find_word(const struct cf *cf, struct span part, const char *word, struct span *out)
{
    size_t at = part.start;
    while (at < part.end && !is_word_at(cf, part, at, word, out))
        at++;
    return at < part.end;
}

static bool ends_item(char c)
{
    return c == '\0' || c == ',' || c == '}' || isspace((unsigned char)c);
}

/* Finds "$name" or "${name}" as an item of the list, and not in the braces of another item. */
static bool find_reference(const struct cf *cf, struct span list, const char *name,
                           struct span *out)
{
    const char *bare = cf->bare;
    int depth = 0;
    for (size_t at = list.start; at < list.end; at++) {
        bool braces = bare[at] == '$' && (bare[at + 1] == '{' || bare[at + 1] == '(');
        if (depth == 0 && bare[at] == '$' && is_word_at(cf, list, at + 1 + braces, name, out) &&
            (!braces || bare[out->end] == '}' || bare[out->end] == ')') &&
            (at == list.start || strchr(", \t\n=", bare[at - 1]) != NULL) &&
            ends_item(bare[out->end + braces])) {
            *out = (struct span){at, out->end + braces};
            return true;
        }
        depth += bare[at] == '{' ? 1 : bare[at] == '}' ? -1 : 0;
    }
    return false;
}

/* The reference before a refusal to relay. */
static bool find_unserved(const struct cf *cf, struct span part, struct span *out)
{
    struct span word;
    for (struct span rest = part; find_word(cf, rest, OURS_UNSERVED, &word);
         rest.start = word.end) {
        if (word.start == 0 || cf->bare[word.start - 1] != '$')
            continue;
        size_t end = word.end;
        end += cf->bare[end] == ',';
        end += cf->bare[end] == ' ';
        for (size_t i = 0; i < COUNT(refusals); i++)
            if (strncmp(cf->bare + end, refusals[i], strlen(refusals[i])) == 0) {
                *out = (struct span){word.start - 1, end};
                return true;
            }
    }
    return false;
}

/* Whether a brace there begins a table, "inline:{...}", and not a part of "${name?value:{...}}". */
static bool begins_table(const struct cf *cf, size_t start, size_t brace)
{
    size_t name = brace;
    while (name > start && (is_word(cf->bare[name - 1]) || cf->bare[name - 1] == ':'))
        name--;
    return name < brace && cf->bare[brace - 1] == ':' && is_word(cf->bare[name]) &&
           (name == start || cf->bare[name - 1] != '?');
}

/* Whether the word refuses by itself: it is no text of a table, and nothing that warn_if_reject makes a warning. */
static bool refuses(const struct cf *cf, struct span part, struct span word)
{
    static const char warn[] = "warn_if_reject";
    size_t at = word.start, length = strlen(warn);
    while (at > part.start && strchr(" \t\r\n,", cf->bare[at - 1]) != NULL)
        at--;
    if (at >= part.start + length && strncmp(cf->bare + at - length, warn, length) == 0)
        return false;
    for (int depth = 0; at-- > part.start;) {
        depth += cf->bare[at] == '}' ? 1 : cf->bare[at] == '{' ? -1 : 0;
        if (depth < 0 && begins_table(cf, part.start, at))
            return false;
        depth = depth < 0 ? 0 : depth;
    }
    return true;
}

static bool find_refusal(const struct cf *cf, struct span part, struct span *out)
{
    for (size_t at = part.start; at < part.end; at++)
        for (size_t i = 0; i < COUNT(refusals); i++)
            if (is_word_at(cf, part, at, refusals[i], out) && refuses(cf, part, *out))
                return true;
    return false;
}

static bool is_blank(const struct cf *cf, struct span part)
{
    return strspn(cf->bare + part.start, ", \t\n") >= part.end - part.start;
}

/* ---- adding */

/* Sets the list to its default where nobody has set it. */
static void set_default(struct cf *main, const struct postconf *defaults, const char *list)
{
    struct setting set;
    char *line;
    const char *value = postconf_find(defaults, list, "");
    if (cf_parameter(main, list, &set) > 0)
        return;
    if (asprintf(&line, "%s =%s%s", list, *value == '\0' ? "" : " ", value) < 0)
        line = NULL;
    cf_append_lines(main, line);
    free(line);
}

void ours_add_to_main(struct cf *main, const struct postconf *defaults, const char *list,
                      const char *name)
{
    char item[40];
    struct setting set;
    struct span there;
    set_default(main, defaults, list);
    if (cf_parameter(main, list, &set) == 0 || find_reference(main, set.value, name, &there))
        return;
    size_t end = set.line.end, start = end;
    while (start > set.line.start && main->text[start - 1] != '\n')
        start--;
    bool is_long = end - start > LINE_LONG;
    if (is_long)
        end += strcspn(main->text + end, "\n");
    snprintf(item, sizeof item, "%s$%s", is_long ? "\n    " : " ", name);
    cf_replace(main, (struct span){end, end}, item);
}

static void grow(struct setting *setting, size_t by)
{
    setting->line.end += by;
    setting->whole.end += by;
    setting->value.end += by;
}

/* Puts it before the first refusal in the value, unless it is there. */
static void add_before_refusal(struct cf *cf, struct setting *setting, const char *item)
{
    struct span word;
    if (!find_unserved(cf, setting->value, &word) && find_refusal(cf, setting->value, &word))
        grow(setting, cf_replace(cf, (struct span){word.start, word.start}, item));
}

void ours_add_to_option(struct cf *master, struct setting *option, const char *name, bool unserved)
{
    char item[32];
    struct span there, end = {option->value.end, option->value.end};
    if (name != NULL && !find_reference(master, option->value, name, &there)) {
        /* Without braces the value of an option has no blanks. */
        snprintf(item, sizeof item, "%s$%s", is_blank(master, option->value) ? "" : ",", name);
        grow(option, cf_replace(master, end, item));
    }
    if (unserved)
        add_before_refusal(master, option, "$" OURS_UNSERVED ",");
}

void ours_add_unserved_to_main(struct cf *main, const struct postconf *defaults)
{
    set_default(main, defaults, "smtpd_relay_restrictions");
    for (struct setting at = {.line = {0, 0}}; cf_setting(main, &at);)
        add_before_refusal(main, &at, "$" OURS_UNSERVED ", ");
}

void ours_define(struct cf *main, bool unserved)
{
    cf_append_lines(main, COMMENT "\n" OURS_MILTER " =\n" OURS_LISTED " =");
    if (unserved)
        cf_append_lines(main, OURS_UNSERVED " =");
}

/* ---- taking out */

/* Whether all of it is ours, not only an item in a list. A value in main.cf is somebody else's. */
static bool is_ours(const struct cf *cf, const struct setting *setting, bool is_option)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (cf_is(cf, setting->name, names[i]))
            return is_option || is_blank(cf, setting->value);
    return is_option && ((cf_is(cf, setting->name, "smtpd_soft_error_limit") &&
                          cf_is(cf, setting->value, OURS_SOFT_LIMIT)) ||
                         (cf_is(cf, setting->name, "smtpd_hard_error_limit") &&
                          cf_is(cf, setting->value, OURS_HARD_LIMIT)));
}

/* Where the removal of a reference begins: with the line, if nothing else is in it, or with the blank or comma before it. */
static size_t start_with(const struct cf *cf, struct span reference)
{
    size_t at = reference.start;
    while (at > 0 && strchr(" \t", cf->bare[at - 1]) != NULL)
        at--;
    if (at > 0 && cf->bare[at - 1] == '\n' && strchr("\n", cf->bare[reference.end]) != NULL)
        return at - 1;
    return reference.start - (strchr(", ", cf->bare[reference.start - 1]) != NULL);
}

/* Finds a reference that attach makes in this list. */
static bool find_in_list(const struct cf *cf, const struct setting *setting, struct span *out)
{
    const char *name = cf_is(cf, setting->name, "smtpd_milters") ? OURS_MILTER : NULL;
    for (int kind = 0; kind < POSTFIX_CLASSES; kind++)
        if (cf_is(cf, setting->name, postfix_class_maps((enum postfix_class)kind)))
            name = OURS_LISTED;
    if (name == NULL || !find_reference(cf, setting->value, name, out))
        return find_unserved(cf, setting->value, out);
    out->start = start_with(cf, *out);
    return true;
}

/* Removes the reference from a line of main.cf that stands after our own parameters; and the whole line if attach has added
 * it: then the list has its default. */
static void strip_line(struct cf *main, const struct setting *setting, struct span reference,
                       const struct postconf *defaults)
{
    struct setting set = {.line = {0, 0}};
    char *list = cf_copy(main, setting->name), *now = NULL;
    const char *before_us = list == NULL ? NULL : postconf_find(defaults, list, NULL);
    cf_replace(main, reference, "");
    if (before_us != NULL && cf_parameter(main, list, &set) == 1)
        now = cf_copy(main, set.value);
    if (now != NULL && strcmp(now, before_us) == 0)
        cf_remove(main, set.line);
    free(list);
    free(now);
}

/* Goes on to the next option of any service. */
static bool next_option(const struct cf *cf, struct setting *at)
{
    while (!cf_option(cf, at)) {
        if (!cf_next(cf, &at->line))
            return false;
        at->whole = (struct span){at->line.start, at->line.start};
    }
    return true;
}

void ours_strip(struct cf *cf, const struct postconf *defaults)
{
    bool after_ours = false;
    struct span reference;
    for (struct setting at = {.line = {0, 0}};
         defaults == NULL ? next_option(cf, &at) : cf_setting(cf, &at);) {
        if (is_ours(cf, &at, defaults == NULL)) {
            after_ours = defaults != NULL;
            cf_remove(cf, at.whole);
        } else if (!find_in_list(cf, &at, &reference)) {
            continue;
        } else if (after_ours) {
            strip_line(cf, &at, reference, defaults);
        } else {
            cf_replace(cf, reference, "");
        }
        /* Read the same line again, or the one that has taken its place. */
        size_t before = at.line.start - (at.line.start > 0);
        at.line = at.whole = (struct span){before, before};
    }
    const char *comment = defaults == NULL || cf->failed ? NULL : strstr(cf->text, COMMENT);
    if (comment != NULL) {
        size_t start = (size_t)(comment - cf->text);
        cf_remove(cf, (struct span){start, start + strlen(COMMENT)});
    }
}

/* ---- what is left */

/* Sets err, with the line and its text from at on. Returns -1. */
static int refuse(const struct cf *cf, const char *path, size_t at, size_t length, const char *what,
                  struct error *err)
{
    unsigned number = 1;
    for (size_t i = 0; i < at; i++)
        number += cf->text[i] == '\n';
    error_set(err, EX_CONFIG, "'%.*s' %s, then run this again", (int)length, cf->text + at, what);
    return error_at(err, path, number);
}

int ours_check_form(const struct cf *cf, const char *path, struct error *err)
{
    const char *at = strstr(cf->text, OLD_MARKER);
    if (at == NULL)
        return 0;
    return refuse(cf, path, (size_t)(at - cf->text), strlen(OLD_MARKER),
                  "is of an older movedctl: put back the copy of both files from before it", err);
}

int ours_check_gone(const struct cf *cf, const char *path, const char *socket, struct error *err)
{
    static const char what[] = "stands where attach did not put it: take it out";
    struct span all = {0, strlen(cf->bare)}, found;
    const char *tail = strrchr(socket, '/');
    while (tail != NULL && tail > socket && tail[-1] != '/')
        tail--;
    const char *at = tail == NULL ? NULL : strstr(cf->bare, tail);
    for (size_t i = 0; i < COUNT(names); i++)
        if (find_word(cf, all, names[i], &found))
            return refuse(cf, path, found.start, found.end - found.start, what, err);
    return at == NULL ? 0 : refuse(cf, path, (size_t)(at - cf->bare), strlen(tail), what, err);
}
