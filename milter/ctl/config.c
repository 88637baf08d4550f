/* SPDX-License-Identifier: BSD-2-Clause */
/* ctl/config.c: print the settings in force, as configuration or as JSON */
#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is printed, from the rows of the settings. */
struct config {
    const struct conf_key *keys;
    size_t count;
    const struct settings *in_force, *defaults;
};

/* ---- values, as JSON */

/* A string; or several lines as a list. What nobody may see, such as a password, is taken out. */
static json_t *text_value(const struct conf_key *key, const char *text)
{
    char *shown = strdup(text == NULL ? "" : text), *rest = shown;
    if (shown == NULL)
        return NULL;
    if (key->hide != NULL)
        key->hide(shown);
    bool lines = key->type == CONF_LINES && strchr(shown, '\n') != NULL;
    json_t *value = lines ? json_array() : json_string_nocheck(shown);
    for (char *line; lines && (line = strsep(&rest, "\n")) != NULL;)
        json_array_append_new(value, json_string_nocheck(line));
    free(shown);
    return value;
}

static json_t *list_value(const struct conf_list *list)
{
    json_t *items = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(items, json_string_nocheck(list->items[i]));
    return items;
}

static json_t *choice_value(const struct conf_key *key, int value)
{
    int i = 0;
    while (key->choices[i + 1] != NULL && (key->values == NULL ? i : key->values[i]) != value)
        i++;
    return json_string_nocheck(key->choices[i]);
}

static json_t *value_of(const struct config *config, const struct conf_key *key,
                        const void *settings);

/* The value of the key of this name next to the list of groups. An item that does not set the key has this value. */
static json_t *value_beside(const struct config *config, const struct conf_key *list,
                            const char *name)
{
    size_t length = strlen(list->path) - strlen(strrchr(list->path, '.') + 1);
    for (size_t i = 0; i < config->count; i++)
        if (strncmp(config->keys[i].path, list->path, length) == 0 &&
            strcmp(config->keys[i].path + length, name) == 0)
            return value_of(config, &config->keys[i], config->in_force);
    return NULL;
}

static json_t *groups_value(const struct config *config, const struct conf_key *list,
                            const struct conf_groups *groups)
{
    json_t *items = json_array();
    for (size_t i = 0; i < groups->count; i++) {
        const char *item = (const char *)groups->items + i * list->group->size;
        json_t *object = json_object();
        for (size_t j = 0; j < list->group->count; j++) {
            const struct conf_key *key = &list->group->keys[j];
            json_t *value = value_of(config, key, item),
                   *beside = value_beside(config, list, key->path);
            if (json_equal(value, beside) == 0)
                json_object_set(object, key->path, value);
            json_decref(value);
            json_decref(beside);
        }
        json_array_append_new(items, object);
    }
    return items;
}

static json_t *value_of(const struct config *config, const struct conf_key *key,
                        const void *settings)
{
    const void *at = (const char *)settings + key->offset;
    switch (key->type) {
    case CONF_STRING:
    case CONF_LINES: return text_value(key, *(char *const *)at);
    case CONF_INT: return json_integer(*(const int *)at);
    case CONF_BOOL: return json_boolean(*(const bool *)at);
    case CONF_CHOICE: return choice_value(key, *(const int *)at);
    case CONF_LIST: return list_value(at);
    case CONF_GROUPS: return groups_value(config, key, at);
    }
    return NULL;
}

/* Whether it differs from the default. If other keys decide the default, the row has a number out of range, and a key that
 * is set counts as changed. */
static bool is_changed(const struct config *config, size_t i)
{
    const struct conf_key *key = &config->keys[i];
    if (config->in_force->spots[i].file == NULL)
        return false;
    if (key->type == CONF_INT && key->number < key->min)
        return true;
    json_t *value = value_of(config, key, config->in_force),
           *by_default = value_of(config, key, config->defaults);
    bool same = json_equal(value, by_default) != 0;
    json_decref(value);
    json_decref(by_default);
    return !same;
}

/* ---- printed as libconfig reads them */

static void print_quoted(const char *text)
{
    putchar('"');
    while (*text != '\0') {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\')
            plain++;
        print_foreign(text, plain);
        text += plain;
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text++);
        else if (*text != '\0')
            printf("\\x%02x", (unsigned char)*text++);
    }
    putchar('"');
}

static void print_setting(const json_t *value)
{
    const char *name, *between = "";
    const json_t *element;
    size_t i;
    if (json_is_string(value)) {
        print_quoted(json_string_value(value));
    } else if (json_is_integer(value) || json_is_boolean(value)) {
        json_dumpf(value, stdout, JSON_ENCODE_ANY);
    } else if (json_is_object(value)) {
        fputs("{ ", stdout);
        json_object_foreach((json_t *)value, name, element)
        {
            printf("%s = ", name);
            print_setting(element);
            fputs("; ", stdout);
        }
        putchar('}');
    } else {
        bool groups = !json_is_string(json_array_get(value, 0)); /* an empty list fits both */
        putchar(groups ? '(' : '[');
        json_array_foreach(value, i, element)
        {
            printf("%s ", between);
            print_setting(element);
            between = ",";
        }
        printf(" %c", groups ? ')' : ']');
    }
}

static void print_one(const struct config *config, size_t i, const char *name, int indent)
{
    const struct conf_spot *spot = &config->in_force->spots[i];
    json_t *value = value_of(config, &config->keys[i], config->in_force);
    if (spot->file != NULL)
        printf("%*s# %s:%u\n", indent, "", spot->file, spot->line);
    printf("%*s%s = ", indent, "", name);
    print_setting(value);
    puts(";");
    json_decref(value);
}

/* ---- both */

static int print_all(const struct config *config, const struct options *options, struct error *err)
{
    char last[64] = "", group[64];
    json_t *all = json_object();
    for (size_t i = 0; i < config->count; i++) {
        const char *path = config->keys[i].path, *dot = strchr(path, '.'),
                   *name = dot == NULL ? path : dot + 1;
        if (options->changed && !is_changed(config, i))
            continue;
        snprintf(group, sizeof group, "%.*s", dot == NULL ? 0 : (int)(dot - path), path);
        if (options->json) {
            json_t *into = *group == '\0' ? all : json_object_get(all, group);
            if (into == NULL)
                json_object_set_new(all, group, into = json_object());
            json_object_set_new(into, name, value_of(config, &config->keys[i], config->in_force));
            continue;
        }
        if (strcmp(group, last) != 0) {
            fputs(*last == '\0' ? "" : "};\n", stdout);
            if (*group != '\0')
                printf("%s: {\n", group);
            memcpy(last, group, sizeof last);
        }
        print_one(config, i, name, *group == '\0' ? 0 : 2);
    }
    if (options->json)
        return print_json_line(all, JSON_INDENT(2), err);
    fputs(*last == '\0' ? "" : "};\n", stdout);
    json_decref(all);
    return ferror(stdout) ? print_failed(err) : 0;
}

static int print_config(struct ctl *ctl, char **args, struct error *err)
{
    struct config config = {.in_force = ctl->settings};
    struct settings *defaults = settings_new();
    (void)args;
    if (defaults == NULL)
        return error_no_memory(err);
    config.keys = settings_keys(&config.count);
    config.defaults = defaults;
    int rc = print_all(&config, &ctl->options, err);
    settings_free(defaults);
    return rc;
}

const struct command command_config = {
    .name = "config",
    .also = "settings",
    .usage = "config [-n] [--json]",
    .summary = "Print the settings in force",
    .details = "Prints a configuration that can be read again. The line above each setting that\n"
               "is not a default names the file and the line that set it.\n"
               "\n"
               "  -n      print only what differs from the defaults\n"
               "  --json  print one object\n",
    .example = "movedctl config -n",
    .takes = "n json",
    .run = print_config,
};
