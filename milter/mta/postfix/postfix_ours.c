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

/* The lists that refer to them. */
static const struct {
    const char *list, *name;
} lists[] = {
    {"smtpd_milters", OURS_MILTER},        {"local_recipient_maps", OURS_LISTED},
    {"virtual_alias_maps", OURS_LISTED},   {"virtual_mailbox_maps", OURS_LISTED},
    {"relay_recipient_maps", OURS_LISTED},
};

/* They refuse to relay, or pass what is not refused behind them. */
static const char *const refusals[] = {"reject_unauth_destination", "defer_unauth_destination",
                                       "permit_auth_destination"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- finding */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Finds the word in the part. */
static bool find_word(const struct cf *cf, struct span part, const char *word, struct span *out)
{
    size_t length = strlen(word);
    for (size_t at = part.start; at + length <= part.end; at++)
        if (memcmp(cf->bare + at, word, length) == 0 && !is_word(cf->bare[at + length]) &&
            (at == 0 || !is_word(cf->bare[at - 1]))) {
            *out = (struct span){at, at + length};
            return true;
        }
    return false;
}

static bool ends_item(char c)
{
    return c == '\0' || c == ',' || c == '}' || isspace((unsigned char)c);
}

/* Finds "$name" or "${name}" as an item of the list, and not in the braces of another item. */
static bool find_reference(const struct cf *cf, struct span list, const char *name,
                           struct span *out)
{
    char forms[3][32];
    int depth = 0;
    snprintf(forms[0], sizeof forms[0], "$%s", name);
    snprintf(forms[1], sizeof forms[1], "${%s}", name);
    snprintf(forms[2], sizeof forms[2], "$(%s)", name);
    for (size_t at = list.start; at < list.end; at++) {
        for (size_t i = 0; depth == 0 && i < COUNT(forms); i++) {
            size_t end = at + strlen(forms[i]);
            if (end <= list.end && memcmp(cf->bare + at, forms[i], end - at) == 0 &&
                (at == list.start || strchr(", \t\n=", cf->bare[at - 1]) != NULL) &&
                ends_item(cf->bare[end])) {
                *out = (struct span){at, end};
                return true;
            }
        }
        depth += cf->bare[at] == '{' ? 1 : cf->bare[at] == '}' ? -1 : 0;
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
    bool found = false;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct span word;
        for (struct span rest = part; find_word(cf, rest, refusals[i], &word);
             rest.start = word.end)
            if (refuses(cf, part, word) && (!found || word.start < out->start)) {
                *out = word;
                found = true;
            }
    }
    return found;
}

/* Whether this line of master.cf is that of the service "smtp/inet". Returns 1, 0, or -1 if memory is out. */
static int is_service(const struct cf *master, struct span line, const char *service)
{
    char name[128], type[32], command[64], have[192];
    char *text = cf_copy(master, line);
    if (text == NULL)
        return -1;
    int rc = sscanf(text, "%127s %31s %*s %*s %*s %*s %*s %63s", name, type, command);
    free(text);
    if (rc != 3 || strcmp(command, "smtpd") != 0)
        return 0;
    snprintf(have, sizeof have, "%s/%s", name, type);
    return strcmp(have, service) == 0;
}

/* Finds its line. Returns as above. */
static int find_service(const struct cf *master, const char *service, struct span *line)
{
    int rc = 0;
    for (*line = (struct span){0, 0}; rc == 0 && cf_next(master, line);)
        rc = is_service(master, *line, service);
    return rc;
}

/* ---- adding */

static int add_last_line(struct cf *cf, const char *line)
{
    size_t length = strlen(cf->text);
    bool whole = length > 0 && cf->text[length - 1] == '\n';
    return cf_add_lines(cf, whole ? length - 1 : length, line);
}

static int set_default(struct cf *main, const struct postfix *postfix, const char *list,
                       const char *name, struct error *err)
{
    char *value = postfix_default(postfix->dir, list, err), *line = NULL;
    if (value == NULL)
        return -1;
    int rc = asprintf(&line, "%s =%s%s $%s", list, *value == '\0' ? "" : " ", value, name) < 0
                 ? -1
                 : add_last_line(main, line);
    free(value);
    free(line);
    return rc == 0 ? 0 : error_no_memory(err);
}

int ours_add_to_main(struct cf *main, const struct postfix *postfix, const char *list,
                     const char *name, struct error *err)
{
    char item[40];
    struct span line, value, there;
    if (!cf_parameter(main, list, &line, &value))
        return set_default(main, postfix, list, name, err);
    if (find_reference(main, value, name, &there))
        return 0;
    size_t end = line.end, start = end;
    while (start > line.start && main->text[start - 1] != '\n')
        start--;
    bool is_long = end - start > LINE_LONG;
    if (is_long)
        end += strcspn(main->text + end, "\n");
    snprintf(item, sizeof item, "%s$%s", is_long ? "\n    " : " ", name);
    return cf_replace(main, (struct span){end, end}, item) == 0 ? 0 : error_no_memory(err);
}

int ours_add_to_service(struct cf *master, const char *service, const char *list, const char *name)
{
    char item[32];
    struct span line, option, parameter, value, there;
    int rc = find_service(master, service, &line);
    if (rc <= 0)
        return rc;
    option = (struct span){line.start, line.start};
    while (cf_option(master, line, &option, &parameter, &value)) {
        if (!cf_is(master, parameter, list) || find_reference(master, value, name, &there))
            continue;
        /* Without braces the value of an option has no blanks. */
        snprintf(item, sizeof item, "%s$%s", cf_is_blank(master, value) ? "" : ",", name);
        if (cf_replace(master, (struct span){value.end, value.end}, item) != 0)
            return -1;
        option.end += strlen(item);
        line.end += strlen(item);
    }
    return 0;
}

/* Puts it before the first refusal in this part of the text. Returns how many characters that takes, 0 if it is there
 * or nothing refuses; or -1. */
static int add_before_refusal(struct cf *cf, struct span part, const char *item)
{
    struct span word;
    if (find_unserved(cf, part, &word) || !find_refusal(cf, part, &word))
        return 0;
    return cf_replace(cf, (struct span){word.start, word.start}, item) == 0 ? (int)strlen(item)
                                                                            : -1;
}

int ours_add_unserved_to_main(struct cf *main, const struct postfix *postfix, struct error *err)
{
    static const char list[] = "smtpd_relay_restrictions";
    struct span line, name, value;
    int rc = 0;
    if (!cf_parameter(main, list, &line, &value)) {
        char *set = NULL, *theirs = postfix_default(postfix->dir, list, err);
        if (theirs == NULL)
            return -1;
        rc = asprintf(&set, "%s = %s", list, theirs) < 0 ? -1 : add_last_line(main, set);
        free(theirs);
        free(set);
    }
    for (line = (struct span){0, 0}; rc >= 0 && cf_next(main, &line); line.end += (size_t)rc) {
        rc = cf_split(main, line, &name, &value)
                 ? add_before_refusal(main, value, "$" OURS_UNSERVED ", ")
                 : 0;
        if (rc < 0)
            break;
    }
    return rc >= 0 ? 0 : error_no_memory(err);
}

int ours_add_unserved_to_service(struct cf *master, const char *service)
{
    struct span line, option, name, value;
    int rc = find_service(master, service, &line);
    if (rc <= 0)
        return rc;
    option = (struct span){line.start, line.start};
    while (cf_option(master, line, &option, &name, &value)) {
        int added = add_before_refusal(master, value, "$" OURS_UNSERVED ",");
        if (added < 0)
            return -1;
        option.end += (size_t)added;
        line.end += (size_t)added;
    }
    return 0;
}

int ours_define(struct cf *main, bool unserved)
{
    static const char *const lines[] = {COMMENT, OURS_MILTER " =", OURS_LISTED " =",
                                        OURS_UNSERVED " ="};
    int rc = 0;
    for (size_t i = 0; i < COUNT(lines) - (unserved ? 0 : 1) && rc == 0; i++)
        rc = add_last_line(main, lines[i]);
    return rc;
}

int ours_add_options(struct cf *master, const char *service, const char *lines)
{
    struct span line;
    int rc = find_service(master, service, &line);
    return rc > 0 ? cf_add_lines(master, line.end, lines) : rc;
}

/* ---- taking out */

/* So that cf_next finds the line that begins here, or what was removed of it began. */
static struct span before(struct span line)
{
    size_t at = line.start > 0 ? line.start - 1 : 0;
    return (struct span){at, at};
}

static bool sets_ours(const struct cf *main, struct span line)
{
    struct span value;
    for (size_t i = 0; i < COUNT(names); i++)
        if (cf_sets(main, line, names[i], &value))
            return true;
    return false;
}

/* What a reference goes with: its line where it is alone there, or the blank or comma before it. */
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
static bool find_in_list(const struct cf *cf, const char *list, struct span value, struct span *out)
{
    for (size_t i = 0; i < COUNT(lists); i++)
        if (strcmp(lists[i].list, list) == 0 && find_reference(cf, value, lists[i].name, out)) {
            out->start = start_with(cf, *out);
            return true;
        }
    return find_unserved(cf, value, out);
}

static size_t count_lines(const struct cf *main, const char *list)
{
    size_t count = 0;
    for (struct span line = {0, 0}, value; cf_next(main, &line);)
        count += cf_sets(main, line, list, &value);
    return count;
}

/* Whether attach set the list, after its own parameters, because nobody else had. */
static bool is_set_by_us(const struct cf *main, const struct postfix *postfix, const char *list,
                         struct span line)
{
    struct error err;
    struct span ours, value;
    if (!cf_parameter(main, OURS_MILTER, &ours, &value) || line.start < ours.start ||
        count_lines(main, list) != 1 || !cf_parameter(main, list, &line, &value))
        return false;
    char *now = cf_copy(main, value), *before_us = postfix_default(postfix->dir, list, &err);
    bool is = now != NULL && before_us != NULL && strcmp(now, before_us) == 0;
    free(now);
    free(before_us);
    return is;
}

/* Takes the references out of one line of main.cf, and the line itself if it is ours. Returns 1 if it changed
 * something, 0, or -1. */
static int strip_line(struct cf *main, const struct postfix *postfix, struct span line)
{
    struct span reference, name, value;
    if (!cf_split(main, line, &name, &value))
        return 0;
    char *list = cf_copy(main, name);
    int rc = list == NULL ? -1 : 0;
    if (rc == 0 && find_in_list(main, list, value, &reference)) {
        rc = cf_replace(main, reference, "") == 0 ? 1 : -1;
        line.end -= reference.end - reference.start;
        if (rc == 1 && is_set_by_us(main, postfix, list, line))
            rc = cf_remove(main, line) == 0 ? 1 : -1;
    }
    free(list);
    return rc;
}

int ours_strip_main(struct cf *main, const struct postfix *postfix, struct error *err)
{
    int rc = 0;
    for (struct span line = {0, 0}; rc >= 0 && cf_next(main, &line);)
        if ((rc = strip_line(main, postfix, line)) > 0)
            line = before(line);
    for (struct span line = {0, 0}; rc >= 0 && cf_next(main, &line);)
        if (sets_ours(main, line)) {
            rc = cf_remove(main, line);
            line = before(line);
        }
    const char *comment = strstr(main->text, COMMENT);
    if (rc >= 0 && comment != NULL) {
        size_t start = (size_t)(comment - main->text);
        rc = cf_remove(main, (struct span){start, start + strlen(COMMENT)});
    }
    return rc >= 0 ? 0 : error_no_memory(err);
}

/* ---- master.cf */

/* An option of a service. */
struct option {
    struct span whole, name, value;
};

static bool is_ours(const struct cf *master, const struct option *option)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (cf_is(master, option->name, names[i]))
            return true;
    return (cf_is(master, option->name, "smtpd_soft_error_limit") &&
            cf_is(master, option->value, OURS_SOFT_LIMIT)) ||
           (cf_is(master, option->name, "smtpd_hard_error_limit") &&
            cf_is(master, option->value, OURS_HARD_LIMIT));
}

/* Takes out the option, or what is ours in it. Returns 1 if it did, 0, or -1. */
static int strip_option(struct cf *master, const struct option *option)
{
    struct span reference;
    char *list = cf_copy(master, option->name);
    int rc = list == NULL ? -1 : 0;
    if (rc == 0 && is_ours(master, option))
        rc = cf_remove(master, option->whole) == 0 ? 1 : -1;
    else if (rc == 0 && find_in_list(master, list, option->value, &reference))
        rc = cf_replace(master, reference, "") == 0 ? 1 : -1;
    free(list);
    return rc;
}

int ours_strip_master(struct cf *master)
{
    int rc = 0;
    for (struct span line = {0, 0}; rc >= 0 && cf_next(master, &line);) {
        struct option option = {.whole = {line.start, line.start}};
        while (rc == 0 && cf_option(master, line, &option.whole, &option.name, &option.value))
            rc = strip_option(master, &option);
        if (rc > 0) {
            line = before(line);
            rc = 0;
        }
    }
    return rc;
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
    const char *at = *socket == '\0' ? NULL : strstr(cf->bare, socket);
    for (size_t i = 0; i < COUNT(names); i++)
        if (find_word(cf, all, names[i], &found))
            return refuse(cf, path, found.start, found.end - found.start, what, err);
    return at == NULL ? 0 : refuse(cf, path, (size_t)(at - cf->bare), strlen(socket), what, err);
}
