/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/conf.h"

#include "base/conf_text.h"
#include "base/guess.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_RIGHT "a list of groups: ( { key = value; … }, … )"

static void *value_at(void *settings, const struct conf_key *key)
{
    return (char *)settings + key->offset;
}

static void list_default(struct conf_list *list, const char *text)
{
    *list = (struct conf_list){.items = NULL};
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, " ");
        conf_list_add(list, text, length);
        text += length + strspn(text + length, " ");
    }
}

/* The value of the choice that text names, or -1. */
static int choice_value(const struct conf_key *key, const char *text)
{
    for (int i = 0; text != NULL && key->choices[i] != NULL; i++)
        if (strcmp(key->choices[i], text) == 0)
            return key->values == NULL ? i : key->values[i];
    return -1;
}

void conf_defaults(void *settings, const struct conf_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct conf_key *key = &keys[i];
        void *value = value_at(settings, key);
        switch (key->type) {
        case CONF_STRING:
        case CONF_LINES: *(char **)value = key->text == NULL ? NULL : strdup(key->text); break;
        case CONF_INT: *(int *)value = key->number; break;
        case CONF_BOOL: *(bool *)value = key->number != 0; break;
        case CONF_CHOICE: *(int *)value = choice_value(key, key->text); break;
        case CONF_LIST: list_default(value, key->text); break;
        case CONF_GROUPS: *(struct conf_groups *)value = (struct conf_groups){.items = NULL}; break;
        }
    }
}

static void groups_clear(struct conf_groups *groups, const struct conf_group *group)
{
    for (size_t i = 0; i < groups->count; i++)
        conf_free((char *)groups->items + i * group->size, group->keys, group->count);
    free(groups->items);
    *groups = (struct conf_groups){.items = NULL};
}

void conf_free(void *settings, const struct conf_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *value = value_at(settings, &keys[i]);
        if (keys[i].type == CONF_STRING || keys[i].type == CONF_LINES) {
            free(*(char **)value);
            *(char **)value = NULL;
        } else if (keys[i].type == CONF_LIST) {
            conf_list_clear(value);
        } else if (keys[i].type == CONF_GROUPS) {
            groups_clear(value, keys[i].group);
        }
    }
}

/* ---- one value */

static int wrong_type(struct error *err, const char *path, const char *right)
{
    return error_set(err, EX_CONFIG, "%s: wrong type: write %s", path, right);
}

/* Stores a text that is on the heap. */
static int store_text(char **value, char *text, struct error *err)
{
    if (text == NULL)
        return error_no_memory(err);
    free(*value);
    *value = text;
    return 0;
}

static int store_int(void *value, const struct conf_key *key, const config_setting_t *setting,
                     struct error *err)
{
    int type = config_setting_type(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
        return wrong_type(err, key->path, "a whole number");
    long long number = config_setting_get_int64(setting);
    if (number < key->min || number > key->max)
        return error_set(err, EX_CONFIG, "%s: %lld is out of range: write %d to %d%s%s", key->path,
                         number, key->min, key->max, key->unit == NULL ? "" : " ",
                         key->unit == NULL ? "" : key->unit);
    *(int *)value = (int)number;
    return 0;
}

static int store_choice(void *value, const struct conf_key *key, const config_setting_t *setting,
                        struct error *err)
{
    char right[256] = "";
    for (size_t i = 0, used = 0; key->choices[i] != NULL && used < sizeof right; i++)
        used += (size_t)snprintf(right + used, sizeof right - used, "%s\"%s\"", i == 0 ? "" : ", ",
                                 key->choices[i]);

    if (config_setting_type(setting) != CONFIG_TYPE_STRING)
        return wrong_type(err, key->path, right);
    const char *text = config_setting_get_string(setting);
    int chosen = choice_value(key, text);
    if (chosen < 0)
        return error_set(err, EX_CONFIG, "%s: no such value '%s': write one of %s", key->path, text,
                         right);
    *(int *)value = chosen;
    return 0;
}

/* Appends the strings of an array or a list; of CONF_LINES, one string alone too. */
static int read_strings(struct conf_list *out, const struct conf_key *key,
                        const config_setting_t *setting, struct error *err)
{
    const char *right = key->type == CONF_LIST ? "a list of strings: [ \"…\", \"…\" ]"
                                               : "a string, or a list of strings: [ \"…\", \"…\" ]";
    bool is_one = key->type == CONF_LINES && config_setting_type(setting) == CONFIG_TYPE_STRING;
    int count = is_one ? 1 : config_setting_length(setting);

    if (!is_one && !config_setting_is_array(setting) && !config_setting_is_list(setting))
        return wrong_type(err, key->path, right);
    for (int i = 0; i < count; i++) {
        const char *item = is_one ? config_setting_get_string(setting)
                                  : config_setting_get_string_elem(setting, i);
        if (item == NULL)
            return wrong_type(err, key->path, right);
        if (key->type == CONF_LINES && strchr(item, '\n') != NULL)
            return error_set(err, EX_CONFIG, "%s: a line break: write one line, or a list of lines",
                             key->path);
        if (conf_list_add(out, item, strlen(item)) != 0)
            return error_no_memory(err);
    }
    return count > 0 || key->type == CONF_LIST ? 0 : wrong_type(err, key->path, right);
}

/* The lines with line feeds between them, on the heap; NULL if memory is out. */
static char *join(const struct conf_list *lines)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    for (size_t i = 0; file != NULL && i < lines->count; i++)
        fprintf(file, "%s%s", i == 0 ? "" : "\n", lines->items[i]);
    if (file != NULL && fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

static int store_strings(void *value, const struct conf_key *key, const config_setting_t *setting,
                         struct error *err)
{
    struct conf_list list = {.items = NULL}, *stored = value;
    int rc = read_strings(&list, key, setting, err);
    if (rc == 0 && key->type == CONF_LIST) {
        conf_list_clear(stored);
        *stored = list;
        return 0;
    }
    if (rc == 0)
        rc = store_text(value, join(&list), err);
    conf_list_clear(&list);
    return rc;
}

static int store(void *settings, const struct conf_key *key, const config_setting_t *setting,
                 struct error *err)
{
    void *value = value_at(settings, key);
    int type = config_setting_type(setting);
    switch (key->type) {
    case CONF_STRING:
        if (type != CONFIG_TYPE_STRING)
            return wrong_type(err, key->path, "a string in \"quotes\"");
        return store_text(value, strdup(config_setting_get_string(setting)), err);
    case CONF_BOOL:
        if (type != CONFIG_TYPE_BOOL)
            return wrong_type(err, key->path, "true or false");
        *(bool *)value = config_setting_get_bool(setting) != 0;
        return 0;
    case CONF_INT: return store_int(value, key, setting, err);
    case CONF_CHOICE: return store_choice(value, key, setting, err);
    case CONF_LIST:
    case CONF_LINES: return store_strings(value, key, setting, err);
    case CONF_GROUPS: return wrong_type(err, key->path, GROUPS_RIGHT);
    }
    return -1;
}

/* ---- the file */

struct reading {
    void *settings;
    const struct conf_key *keys;
    size_t count;
    const char *ignored; /* a group; NULL: none */
    struct conf_spot *spots;
    struct conf_list *files;
    const struct conf_text *text;
};

static int read_group(const struct reading *reading, const config_setting_t *group,
                      const char *prefix, struct error *err);

static struct conf_spot spot_of(const struct reading *reading, const config_setting_t *setting)
{
    return conf_text_spot(reading->text, config_setting_source_line(setting));
}

static int at_setting(const struct reading *reading, const config_setting_t *setting,
                      struct error *err)
{
    struct conf_spot spot = spot_of(reading, setting);
    return error_at(err, spot.file, spot.line);
}

/* Stores each group in an item of its own. */
static int read_groups(const struct reading *reading, const struct conf_key *key,
                       const config_setting_t *setting, struct error *err)
{
    const struct conf_group *group = key->group;
    struct conf_groups *groups = value_at(reading->settings, key);
    int count = config_setting_length(setting);

    groups_clear(groups, group);
    groups->items = calloc((size_t)count + 1, group->size);
    if (groups->items == NULL)
        return error_no_memory(err);
    for (int i = 0; i < count; i++) {
        const config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
        void *item = (char *)groups->items + groups->count++ * group->size;
        const struct reading inner = {
            .settings = item, .keys = group->keys, .count = group->count, .text = reading->text};
        conf_defaults(item, group->keys, group->count);
        if (!config_setting_is_group(element)) {
            wrong_type(err, key->path, GROUPS_RIGHT);
            return at_setting(reading, element, err);
        }
        if (read_group(&inner, element, "", err) != 0)
            return -1;
    }
    return 0;
}

/* The name of a key within its group. */
static const char *last_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

/* Names the key or the group that was meant: of a similar path, or of this name in another group. */
static int refuse_key(const struct reading *reading, const char *path, struct error *err)
{
    struct guess guess;
    guess_begin(&guess, path);
    for (size_t i = 0; i < reading->count; i++) {
        const char *key = reading->keys[i].path, *dot = strchr(key, '.');
        guess_try(&guess, key);
        if (dot != NULL)
            guess_try(&guess, strndupa(key, (size_t)(dot - key)));
    }
    for (size_t i = 0; guess.nearest == NULL && i < reading->count; i++)
        if (strcmp(last_name(reading->keys[i].path), last_name(path)) == 0)
            guess.nearest = reading->keys[i].path;
    if (guess.nearest == NULL)
        return error_set(err, EX_CONFIG,
                         "%s: unknown key: see milter-moved.conf(5) for those there are", path);
    return error_set(err, EX_CONFIG, "%s: unknown key: did you mean %s? see milter-moved.conf(5)",
                     path, guess.nearest);
}

/* A group of keys, such as "disclosure" of "disclosure.limit"; or an error, since no key has this path. */
static int read_subgroup(const struct reading *reading, const config_setting_t *setting,
                         const char *path, struct error *err)
{
    size_t length = strlen(path), i = 0;
    while (i < reading->count && (strncmp(reading->keys[i].path, path, length) != 0 ||
                                  reading->keys[i].path[length] != '.'))
        i++;
    if (i == reading->count)
        refuse_key(reading, path, err);
    else if (!config_setting_is_group(setting))
        wrong_type(err, path, "a group: { key = value; … }");
    else
        return read_group(reading, setting, path, err);
    return at_setting(reading, setting, err);
}

static int read_setting(const struct reading *reading, const config_setting_t *setting,
                        const char *prefix, struct error *err)
{
    const struct conf_key *key = reading->keys, *end = key + reading->count;
    char path[128];
    snprintf(path, sizeof path, "%s%s%s", prefix, *prefix == '\0' ? "" : ".",
             config_setting_name(setting));
    if (reading->ignored != NULL && strcmp(path, reading->ignored) == 0)
        return 0;
    while (key < end && strcmp(key->path, path) != 0)
        key++;
    if (key == end)
        return read_subgroup(reading, setting, path, err);
    if (key->type == CONF_GROUPS && config_setting_is_list(setting)) {
        if (read_groups(reading, key, setting, err) != 0)
            return -1;
    } else if (store(reading->settings, key, setting, err) != 0) {
        return at_setting(reading, setting, err);
    }
    if (reading->spots != NULL)
        reading->spots[key - reading->keys] = spot_of(reading, setting);
    return 0;
}

static int read_group(const struct reading *reading, const config_setting_t *group,
                      const char *prefix, struct error *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < config_setting_length(group); i++)
        rc = read_setting(reading, config_setting_get_elem(group, (unsigned)i), prefix, err);
    return rc;
}

/* Reports the errors that conf_text_read does not find. */
static int refuse_syntax(const struct conf_text *text, const config_t *config, struct error *err)
{
    struct conf_spot spot = conf_text_spot(text, (unsigned)config_error_line(config));
    const char *what = config_error_text(config);
    if (what == NULL || strcmp(what, "syntax error") == 0)
        error_set(err, EX_CONFIG, "syntax error: write key = value; with strings in \"quotes\"");
    else if (strstr(what, "array") != NULL)
        error_set(err, EX_CONFIG, "%s: write values of one type in [ ], or ( ) around them", what);
    else
        error_set(err, EX_CONFIG, "%s: see the manual of libconfig", what);
    return error_at(err, spot.file, spot.line);
}

static int read_file(struct reading *reading, const char *file, struct error *err)
{
    struct conf_text text;
    config_t config;
    if (conf_text_read(&text, file, reading->files, err) != 0)
        return -1;
    config_init(&config);
    reading->text = &text;
    int rc = config_read_string(&config, text.text) == CONFIG_TRUE
                 ? read_group(reading, config_root_setting(&config), "", err)
                 : refuse_syntax(&text, &config, err);
    config_destroy(&config);
    conf_text_free(&text);
    return rc;
}

/* ---- FILE.d */

/* Skips the files that an editor or a package manager leaves. */
static int is_part(const struct dirent *at)
{
    return fnmatch("*.conf", at->d_name, FNM_PERIOD) == 0;
}

static int read_part(struct reading *reading, const char *folder, const char *name,
                     struct error *err)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return error_no_memory(err);
    int rc = read_file(reading, path, err);
    if (rc != 0 && err->status == EX_NOINPUT)
        err->status = EX_CONFIG; /* a dangling link */
    free(path);
    return rc;
}

static int read_parts(struct reading *reading, const char *folder, struct error *err)
{
    struct dirent **parts;
    int rc = 0;
    int count = scandir(folder, &parts, is_part, alphasort); /* bytewise: no locale is set */
    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0) {
        error_set(err, error_status(errno) == EX_NOPERM ? EX_NOPERM : EX_CONFIG,
                  "%s: make it a folder that this user may read", strerror(errno));
        return error_at(err, folder, 0);
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = read_part(reading, folder, parts[i]->d_name, err);
        free(parts[i]);
    }
    free(parts);
    return rc;
}

int conf_read(void *settings, const struct conf_key *keys, size_t count, const char *ignored,
              const char *file, struct conf_list *files, struct conf_spot *spots, struct error *err)
{
    struct reading reading = {.settings = settings,
                              .keys = keys,
                              .count = count,
                              .ignored = ignored,
                              .spots = spots,
                              .files = files};
    char *folder = NULL;
    int rc =
        asprintf(&folder, "%s.d", file) < 0 ? error_no_memory(err) : read_file(&reading, file, err);
    if (rc == 0)
        rc = read_parts(&reading, folder, err);
    free(folder);
    return rc;
}
